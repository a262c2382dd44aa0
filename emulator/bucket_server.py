"""moto's S3 in a process of its own, with objects that outlive it in a folder.

Runs as a script, by its path, so that a project's own modules can't get in its way; ends when its standard input does,
which is when the emulator is gone for whatever reason.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# Both are read when moto is imported. Buckets are addressed by path: nothing on a laptop resolves bucket.127.0.0.1.
# moto would allow every origin, where S3 allows those in the bucket's CORS rules.
os.environ.update(S3_IGNORE_SUBDOMAIN_BUCKETNAME="true", MOTO_DISABLE_GLOBAL_CORS="true")

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.models import FakeKey, s3_backends
from werkzeug.serving import make_server

_WRITING = frozenset({"PUT", "POST", "DELETE"})

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Store:
    """A folder that mirrors moto's objects: one file an object, a line of JSON and then its bytes.

    The file's name is the digest of the bucket and the key, so that any key makes a file name on any file system; one
    file for both parts is replaced as a whole by renaming, so a crash leaves the object before or the object after.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._mirrored: dict[tuple[str, str], FakeKey] = {}

    def restore(self) -> None:
        """Puts every object in the folder into moto; a file that can't be read is named, and removed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.iterdir()):
            if path.suffix == ".new":
                path.unlink()
                continue
            try:
                head, _, value = path.read_bytes().partition(b"\n")
                self._put(json.loads(head), value)
            except (ValueError, KeyError, OSError) as error:
                print(f"{path} is damaged and is removed: {error}", file=sys.stderr)  # noqa: T201
                path.unlink(missing_ok=True)

    def _put(self, about: dict[str, Any], value: bytes) -> None:
        bucket, name = about["bucket"], about["key"]
        create_bucket(bucket)
        key = _backend().put_object(bucket, name, value, etag=about["etag"], disable_notification=True)
        key.set_metadata(about["metadata"], replace=False)
        key.last_modified = dt.datetime.fromisoformat(about["last_modified"])
        self._mirrored[bucket, name] = key

    def update(self, bucket: str, name: str | None) -> None:
        """Brings the folder in line with moto for one object, or (``name`` None) for all of a bucket."""
        with self._lock:
            keys: Any = _backend().buckets[bucket].keys if bucket in _backend().buckets else {}
            if name is not None:
                names = {name}
            else:
                names = set(keys) | {key for owner, key in self._mirrored if owner == bucket}
            for each in names:
                key = keys.get(each)
                if key is None or not isinstance(key, FakeKey):
                    if self._mirrored.pop((bucket, each), None) is not None:
                        self._path(bucket, each).unlink(missing_ok=True)
                elif self._mirrored.get((bucket, each)) is not key:
                    self._write(bucket, each, key)
                    self._mirrored[bucket, each] = key

    def _write(self, bucket: str, name: str, key: FakeKey) -> None:
        about = {
            "bucket": bucket,
            "key": name,
            "etag": key.etag.strip('"'),
            "last_modified": key.last_modified.isoformat(),
            "metadata": dict(key.metadata),
        }
        path = self._path(bucket, name)
        new = path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(json.dumps(about).encode() + b"\n")
            file.write(key.value)
        new.replace(path)

    def _path(self, bucket: str, name: str) -> Path:
        return self._folder / hashlib.sha256(f"{bucket}/{name}".encode()).hexdigest()


class Mirrored:
    """moto's application, with every change written to the ``store`` before the client hears that it was made."""

    def __init__(self, application: Wsgi, store: Store) -> None:
        self._application = application
        self._store = store

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        answer = self._application(environ, start_response)
        if method in _WRITING:
            bucket, _, name = path.encode("latin-1").decode(errors="replace").lstrip("/").partition("/")
            # A form upload and the removal of many objects are sent to the bucket.
            self._store.update(bucket, name or None)
        return answer


class _Handler(MotoRequestHandler):
    """One connection for many requests: werkzeug's own loop closes it after each, and takes 10 ms to do so."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        source = environ["wsgi.input"]
        if environ.get("wsgi.input_terminated"):
            body = source.read()
        else:
            body = source.read(int(environ.get("CONTENT_LENGTH") or 0))
        # Read to its end whatever the application makes of it: the rest would be taken for the next request.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            started.append((status, headers))

        answer = self.server.app(environ, start_response)
        try:
            content = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        status, headers = started[-1]
        code, _, reason = status.partition(" ")
        names = {name.lower() for name, _ in headers}
        self.send_response_only(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in names and code not in {"204", "304"}:
            self.send_header("Content-Length", str(len(content)))
        if "date" not in names:
            self.send_header("Date", self.date_time_string())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _backend() -> Any:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def create_bucket(name: str) -> None:
    """Creates the bucket where it is not there yet."""
    if name not in _backend().buckets:
        _backend().create_bucket(name, "us-east-1")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True, help="a listening socket, inherited")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--store", type=Path, required=True)
    options = parser.parse_args()
    store = Store(options.store)
    store.restore()
    create_bucket(options.bucket)
    application = Mirrored(create_backend_app("s3"), store)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler, fd=options.fd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    # Nothing here needs an orderly end: every change is on disk before its answer is sent.
    os._exit(0)


if __name__ == "__main__":
    main()
