"""How a visitor asks for the site's pages: at CloudFront, wherever the domain leads."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from werkzeug.serving import make_server

from infra.deploy import smoke
from infra.exceptions import DeployError


@pytest.fixture
def edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server for www.example.com, which answers with the host it was asked for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("www.example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setattr(smoke, "_PAUSES", ())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK" if environ["PATH_INFO"] == "/" else "404 Not Found", [])
        return [environ["HTTP_HOST"].encode()]

    server = make_server("127.0.0.1", 0, answer, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_domain_that_leads_nowhere_yet_is_asked_for_at_the_edge(edge: int) -> None:
    visitor = smoke.Visitor(f"https://www.example.com:{edge}", "127.0.0.1")
    assert smoke.page(visitor, "/") == "/ answers 200"
    assert visitor.get("/", lambda *_: True)[1] == f"www.example.com:{edge}".encode()
    with pytest.raises(DeployError, match=r"/page answers 404 Not Found: www\.example\.com"):
        smoke.page(visitor, "/page")


def test_an_edge_with_another_certificate_is_not_the_site_s(edge: int) -> None:
    with pytest.raises(DeployError, match="can't be reached"):
        smoke.page(smoke.Visitor(f"https://www.example.org:{edge}", "127.0.0.1"), "/")


def test_what_is_not_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "_PAUSES", (0.0,))
    with pytest.raises(DeployError, match=r"http://127\.0\.0\.1:9/ can't be reached"):
        smoke.page(smoke.Visitor("http://127.0.0.1:9", None), "/")
