"""Over TLS, as AWS always is, with a certificate made for the test."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from static_sync.destination import Destination
from static_sync.exceptions import BucketError, UnreachableError
from static_sync.stores.contract import ABSENT, Body, Headers
from static_sync.stores.s3 import open_s3
from static_sync.stores.s3.store import S3Store
from tests.static_sync.conftest import write
from tests.static_sync.stub import Fault, StubS3, Waits, md5, store_at

HEADERS = Headers("text/css", "public, max-age=60")


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


@pytest.fixture
def store(secure: StubS3, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    store = store_at(secure.url, sleep=Waits())
    yield store
    store.close()


def large_file(folder: Path) -> Body:
    content = os.urandom(12_345_678)
    write(folder, {"large": content})
    return Body(str(folder / "large"), len(content), md5(content))


def test_objects_arrive_over_tls(secure: StubS3, store: S3Store) -> None:
    for number in range(20):
        store.put(f"static/{number}", Body("", 1, md5(b"a"), b"a"), HEADERS, ABSENT)
    assert store.get("static/7") == b"a"
    assert list(store.listing()) == sorted(secure.objects)
    assert (len(secure.objects), secure.connections) == (20, 1)


def test_a_session_ticket_is_no_early_answer(secure: StubS3, store: S3Store, tmp_path: Path) -> None:
    """TLS 1.3 sends tickets after the handshake, which is while the first body is sent."""
    large = large_file(tmp_path)
    assert store.put("static/large", large, HEADERS) == large.md5
    assert len(secure.requests) == 1


def test_an_early_answer_is_read(secure: StubS3, store: S3Store, tmp_path: Path) -> None:
    secure.fault = lambda *_: "early"
    with pytest.raises(BucketError, match="400 EntityTooLarge"):
        store.put("static/large", large_file(tmp_path), HEADERS)


@pytest.mark.parametrize("fault", ["close", "reset", "cut", "lost"])
def test_faults_pass(secure: StubS3, store: S3Store, fault: Fault) -> None:
    secure.fault = lambda number, _method, _key: fault if number % 3 == 2 else None
    for number in range(10):
        store.put(f"static/{number}", Body("", 1, md5(b"a"), b"a"), HEADERS)
    assert len(secure.objects) == 10


def test_an_unknown_certificate_is_refused(secure: StubS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    waits = Waits()
    store = store_at(secure.url, sleep=waits)
    with pytest.raises(UnreachableError, match=r"certificate is not trusted .* set AWS_CA_BUNDLE"):
        store.listing()
    store.close()
    assert secure.requests == []
    assert len(waits) < 3


def test_a_certificate_of_another_host_is_refused(
    secure: StubS3, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    store = store_at(secure.url.replace("127.0.0.1", "localhost"), sleep=Waits())
    with pytest.raises(UnreachableError, match=r"certificate is not trusted .*localhost"):
        store.listing()
    store.close()
    assert secure.requests == []


def test_a_bundle_that_is_not_there_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(UnreachableError, match="AWS_CA_BUNDLE"):
        open_s3(Destination("bucket", "static/"))
