"""The bucket: moto's S3 in a process of its own with objects that stay, or an S3 service that runs elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import aiohttp
from yarl import URL

from static_sync.exceptions import UnreadableAnswerError
from static_sync.stores.s3.answers import parse_page

from .exceptions import BucketError
from .http import Response
from .ports import listen, port_of

if TYPE_CHECKING:
    from botocore.auth import S3SigV4Auth

_SERVER = Path(__file__).with_name("bucket_server.py")
_PATIENCE = 30.0
_KEPT = 4000  # bytes of what the server complains of
# They describe the connection between the CDN and the bucket, or the single request to it.
_INTERNAL = frozenset({"connection", "keep-alive", "transfer-encoding", "server", "date", "content-length"})
_IDENTIFIERS = frozenset({"x-amz-id-2", "x-amz-request-id", "x-amzn-requestid"})
# moto answers with some of the headers an object was uploaded with that S3 does not keep.
_UPLOADED = frozenset({"content-md5", "x-amz-content-sha256", "x-amz-sdk-checksum-algorithm"})
_DROPPED = _INTERNAL | _IDENTIFIERS | _UPLOADED

# moto checks no signature, but takes a request without any for an anonymous one, which a private bucket refuses.
_AS_OWNER = {"Authorization": "AWS4-HMAC-SHA256 Credential=emulator/20000101/us-east-1/s3/aws4_request"}


@dataclass(frozen=True)
class ObjectChange:
    """What became of an object: ``event`` as S3 names it (``ObjectCreated:Put``), ``key`` as it is.

    ``size`` in bytes and ``etag``, without quotes, are None where the object is gone; ``version`` is None in a bucket
    that keeps none; ``address`` is the client's.
    """

    event: str
    bucket: str
    key: str
    address: str
    size: int | None = None
    etag: str | None = None
    version: str | None = None


class BucketServer:
    """moto's S3 on a loopback port; its objects are kept in ``store`` from one run to the next.

    ``origins`` are the sites whose pages may use the bucket from a browser: it has CORS rules for them. The same port
    answers as SQS. ``on_change`` may be set to be told what becomes of objects.
    """

    def __init__(self, name: str, store: Path, origins: Sequence[str] = ()) -> None:
        """Raises `BucketError` where moto is not installed."""
        if importlib.util.find_spec("moto") is None:
            raise BucketError(
                "The emulated bucket needs moto, which comes with the extra: pip install 'django-faas[emulator]'; or "
                "name an S3 service that runs already: --endpoint-url http://127.0.0.1:9000"
            )
        self._name = name
        self._store = store
        self._origins = origins
        self.on_change: Callable[[ObjectChange], None] | None = None
        # The socket is here before the process is: whoever connects early waits in the queue instead of failing.
        self._sock = listen("127.0.0.1", 0, "the bucket")
        self.url = f"http://127.0.0.1:{port_of(self._sock)}"
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._said = b""

    async def start(self) -> None:
        """Returns when the bucket answers; raises `BucketError` when it does not come up."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # this script's own folder must not be searched for modules
                str(_SERVER),
                "--fd",
                str(self._sock.fileno()),
                "--bucket",
                self._name,
                "--store",
                str(self._store),
                *(f"--origin={origin}" for origin in self._origins),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(self._sock.fileno(),),
                start_new_session=True,
            )
        finally:
            self._sock.close()
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise RuntimeError("asyncio gave no pipes")
        complaints = asyncio.create_task(self._hear(stderr))
        self._readers.append(complaints)
        try:
            async with asyncio.timeout(_PATIENCE):
                ready = await stdout.readline()
        except TimeoutError:
            raise BucketError(f"moto's S3 server was not ready within {_PATIENCE:.0f} s.") from None
        if not ready:
            await complaints
            last = self._said.decode(errors="replace").strip().splitlines()[-1:]
            raise BucketError(f"moto's S3 server did not start: {last[0] if last else 'it said nothing'}")
        self._readers.append(asyncio.create_task(self._follow(stdout)))

    async def _hear(self, stderr: asyncio.StreamReader) -> None:
        """Reads, so that the process never has to wait for a reader; the end is kept."""
        while data := await stderr.read(1 << 16):
            self._said = (self._said + data)[-_KEPT:]

    async def _follow(self, stdout: asyncio.StreamReader) -> None:
        while line := await stdout.readline():
            if self.on_change is not None:
                self.on_change(ObjectChange(**json.loads(line)))

    async def stop(self) -> None:
        self._sock.close()
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            async with asyncio.timeout(2):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await asyncio.gather(*self._readers)


class BucketClient:
    """Reads objects as a CDN does, over kept connections; signed with ``credentials`` where the bucket is private."""

    def __init__(self, endpoint: str, bucket: str, region: str | None) -> None:
        """``region`` is given where requests have to be signed, with whatever credentials boto3 would find."""
        self._base = f"{endpoint.rstrip('/')}/{bucket}"
        self._signer = _signer(region) if region else None
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, headers: Mapping[str, str], method: str = "GET") -> Response:
        """The object whose key is ``path`` (percent-encoded, with its leading slash) without that slash.

        A ``path`` that is a query asks of the bucket itself.

        Raises `BucketError` when the bucket can't be reached.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
        url = f"{self._base}{path}"
        sent = {**headers, **(_signed(self._signer, method, url) if self._signer else _AS_OWNER)}
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=sent,
                skip_auto_headers=("Accept-Encoding", "Accept", "User-Agent"),
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                kept = [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in answer.raw_headers
                    if name.lower().decode("latin-1") not in _DROPPED
                ]
                length = answer.headers.get("Content-Length")
                if method == "HEAD" and length is not None:
                    kept.append(("Content-Length", length))
                return Response(answer.status, kept, body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BucketError(f"The bucket at {self._base} can't be reached: {error}") from error

    async def names(self, prefix: str) -> Collection[str]:
        """The keys that begin with ``prefix``, up to a thousand; none where the bucket can't be listed.

        Raises `BucketError` when the bucket can't be reached.
        """
        encoded = quote(prefix, safe="", errors="surrogateescape")
        answer = await self.get(f"?encoding-type=url&list-type=2&prefix={encoded}", {})
        try:
            return parse_page(answer.body).objects if answer.status == 200 else ()
        except UnreadableAnswerError:
            return ()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _signer(region: str) -> S3SigV4Auth | None:
    from botocore.auth import S3SigV4Auth
    from botocore.session import get_session

    credentials = get_session().get_credentials()
    return S3SigV4Auth(credentials, "s3", region) if credentials is not None else None


def _signed(signer: S3SigV4Auth, method: str, url: str) -> dict[str, str]:
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method=method, url=url)
    signer.add_auth(request)
    return dict(request.headers.items())


def state_folder(project: Path) -> Path:
    """``.faas`` in the project's folder, made where it is missing and kept out of version control."""
    folder = project / ".faas"
    folder.mkdir(exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        with contextlib.suppress(OSError):
            ignore.write_text("*\n")
    return folder
