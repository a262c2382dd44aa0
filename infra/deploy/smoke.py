"""Whether the site works for a visitor: a page and a static file, through the CDN."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from ..exceptions import DeployError

if TYPE_CHECKING:
    from ..build import StaticFiles

# Seconds before each further attempt. A distribution answers at some edges later than at others, and a first request
# waits for a cold start.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_TIMEOUT = 35
"""Seconds: more than an HTTP API and CloudFront wait for the function."""


class Visitor:
    """Asks for pages of the site at the URL ``site``, at the CDN itself (``edge``, a host name) where that is known.

    A domain may lead elsewhere yet, or nowhere: to CloudFront it is but the name that it is asked by, in TLS and HTTP.
    """

    def __init__(self, site: str, edge: str | None) -> None:
        self._site = site
        self._edge = edge

    def get(self, path: str, good: Callable[[int, bytes], bool]) -> tuple[int, bytes, str]:
        """Status, body and URL of the first good answer, else of the last one; raises `DeployError` without any."""
        url = urljoin(self._site, path)
        failure: Exception | None = None
        answer: tuple[int, bytes] | None = None
        for pause in (*_PAUSES, None):
            try:
                answer = self._answer(url)
            except (OSError, http.client.HTTPException) as error:
                failure = error
            else:
                if good(*answer):
                    break
            if pause is not None:
                time.sleep(pause)
        if answer is None:
            raise DeployError(f"{url} can't be reached: {failure}")
        return (*answer, url)

    def _answer(self, url: str) -> tuple[int, bytes]:
        parts = urlsplit(url)
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = _Edge(parts.netloc, self._edge)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
        try:
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request("GET", target, headers={"User-Agent": "django-faas", "Accept-Encoding": "identity"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


class _Edge(http.client.HTTPSConnection):
    """A connection to the site ``host``, made to ``edge`` in its place."""

    def __init__(self, host: str, edge: str | None) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, timeout=_TIMEOUT, context=self._tls)
        self._edge = edge or self.host

    def connect(self) -> None:
        """Connect, as http.client asks for it."""
        self.sock = self._tls.wrap_socket(
            socket.create_connection((self._edge, self.port), _TIMEOUT), server_hostname=self.host
        )


def page(visitor: Visitor, path: str) -> str:
    """Ask for the page at ``path`` until it is there; its status in words. Raises `DeployError` if it never is.

    A redirect is an answer: where it leads (a login, say) is the site's own business.
    """
    status, body, asked = visitor.get(path, lambda status, _body: 200 <= status < 400)
    if status >= 400:
        said = f": {_beginning(body)}" if body else ""
        raise DeployError(f"{asked} answers {status} {http.client.responses.get(status, '')}{said}")
    return f"{path} answers {status}"


def asset(visitor: Visitor, files: StaticFiles) -> str | None:
    """Ask for a file with a hashed name, which has to be there byte for byte; what was asked, None without such files.

    Raises `DeployError`.
    """
    name = hashed_name(files)
    if name is None:
        return None
    content = (files.folder / name).read_bytes()
    path = f"/static/{quote(name)}"
    status, body, asked = visitor.get(path, lambda status, body: status == 200 and body == content)
    if status != 200:
        raise DeployError(
            f"{asked} answers {status}, though the file was uploaded. Does the distribution lead /static/* to the "
            "bucket, and does the bucket's policy let that distribution read?"
        )
    if body != content:
        raise DeployError(f"{asked} answers another content than the file that was uploaded ({len(body):,} bytes).")
    return path


def hashed_name(files: StaticFiles) -> str | None:
    """The smallest of the files with a hashed name."""
    if files.manifest is None:
        return None
    paths = json.loads(files.manifest.read_bytes())["paths"]
    there = [name for name in paths.values() if (files.folder / name).is_file()]
    return min(there, key=lambda name: ((files.folder / name).stat().st_size, name), default=None)


def _beginning(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return text if len(text) <= 200 else f"{text[:200]}..."
