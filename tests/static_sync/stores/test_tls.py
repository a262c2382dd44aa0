"""Over TLS, as AWS always is, with a certificate made for the test."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from static_sync import sync
from static_sync.exceptions import UnreachableError
from tests.static_sync.stub import StubS3


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a certificate for 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[StubS3]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = StubS3(tls=context)
    yield server
    server.stop()


def test_files_arrive_over_tls(
    secure: StubS3, certificate: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    report = sync("s3://bucket/static", source=source, endpoint_url=secure.url, workers=2)
    assert len(report.outcome.done) == len(secure.objects) == 5
    assert secure.connections <= 3


def test_an_unknown_certificate_is_refused(secure: StubS3, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with pytest.raises(UnreachableError, match=r"certificate is not trusted .* set AWS_CA_BUNDLE"):
        sync("s3://bucket/static", source=source, endpoint_url=secure.url)
    assert secure.requests == []


def test_a_bundle_that_is_not_there_is_explained(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(source / "nowhere.pem"))
    with pytest.raises(UnreachableError, match="AWS_CA_BUNDLE"):
        sync("s3://bucket/static", source=source)
