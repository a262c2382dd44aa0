"""moto's S3 in a process of its own, with objects that outlive it in a folder; and its SQS, for whoever asks for that.

Runs as a script, by its path, so that a project's own modules can't get in its way; ends when its standard input does,
which is when the emulator is gone for whatever reason. On its standard output it says that it is ready, and then, in a
line of JSON each, which object was created or removed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import hashlib
import importlib
import io
import json
import os
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

# Both are read when moto is imported. Buckets are addressed by path: nothing on a laptop resolves bucket.127.0.0.1.
# moto would allow every origin, where S3 allows those in the bucket's CORS rules.
os.environ.update(S3_IGNORE_SUBDOMAIN_BUCKETNAME="true", MOTO_DISABLE_GLOBAL_CORS="true")

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3 import notifications
from moto.s3.models import FakeKey, s3_backends
from werkzeug.serving import make_server

_WRITING = frozenset({"PUT", "POST", "DELETE"})
_GLANCE = 0.25
"""Seconds after which a request that waits for messages looks again."""

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


class _Noted(threading.local):
    """What a thread's request has done so far, by bucket and key."""

    def __init__(self) -> None:
        self.changes: dict[tuple[str, str], dict[str, Any]] = {}


class Changes:
    """Tells on standard output which objects are created and removed.

    moto says so in the middle of a request, when an object has its bytes and not yet its metadata; it is told when the
    request is through, so that a function which looks at once finds all of it. Of what moto says about one object in
    one request the last counts: an upload in parts is a Put first.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted = _Noted()
        self._send_event = notifications.send_event
        notifications.send_event = self._note

    def _note(self, account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
        self._send_event(account_id, event_name, bucket, key)  # to queues that the project itself has configured
        event = event_name.value.removeprefix("s3:")
        about = {"event": event, "bucket": bucket.name, "key": key.name}
        if event.startswith("ObjectCreated:"):
            about |= {"size": key.size, "etag": key.etag.strip('"')}
        elif not event.startswith("ObjectRemoved:"):
            return
        if bucket.is_versioned:
            about["version"] = key.version_id
        self._noted.changes[bucket.name, key.name] = about

    def tell(self, address: str) -> None:
        """What this thread's request, from the client at ``address``, has done."""
        changes = self._noted.changes
        lines = "".join(f"{json.dumps({**about, 'address': address})}\n" for about in changes.values())
        changes.clear()
        if lines:
            with self._lock:
                sys.stdout.write(lines)
                sys.stdout.flush()


class Mirrored:
    """moto's application, with every change written to the ``store`` before the client hears that it was made."""

    def __init__(self, application: Wsgi, store: Store, changes: Changes) -> None:
        self._application = application
        self._store = store
        self._changes = changes

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        bucket, name = _address(environ)
        answer = self._application(environ, start_response)
        if method in _WRITING:
            # A form upload and the removal of many objects are sent to the bucket.
            self._store.update(bucket, name or None)
            self._changes.tell(environ.get("REMOTE_ADDR", ""))
        return answer


class CrossOrigin:
    """What browsers of other origins may do, by the bucket's CORS rules: the first that fits counts.

    moto mixes all rules, refuses as soon as one does not fit, and forgets some kinds of request.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
    """

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        origin = environ.pop("HTTP_ORIGIN", None)
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return self._preflight(origin, environ, start_response)
        if origin is None:
            return self._application(environ, start_response)
        found = _cors_headers(_cors_rules(environ), origin, environ["REQUEST_METHOD"], [])

        def start(status: str, headers: list[tuple[str, str]], *rest: object) -> Any:
            return start_response(status, [*headers, *(found or [])], *rest)

        return self._application(environ, start)

    def _preflight(
        self, origin: str | None, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        method = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").lower().split(",")
        rules = _cors_rules(environ)
        if origin is None:
            refusal = ("400 Bad Request", "BadRequest", "Insufficient information. Origin request header needed.")
        elif method is None:
            refusal = ("400 Bad Request", "BadRequest", "Invalid Access-Control-Request-Method: null")
        elif not rules:
            refusal = ("403 Forbidden", "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
        else:
            found = _cors_headers(rules, origin, method, [name.strip() for name in wanted if name.strip()])
            if found is not None:
                start_response("200 OK", [*found, ("Content-Length", "0")])
                return []
            refusal = ("403 Forbidden", "AccessForbidden", _NOT_ALLOWED)
        status, code, message = refusal
        start_response(status, [("Content-Type", "application/xml")])
        return [
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()
        ]


_NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


def _cors_rules(environ: dict[str, Any]) -> list[Any]:
    bucket = _backend().buckets.get(_address(environ)[0])
    return bucket.cors if bucket is not None else []


def _cors_headers(rules: list[Any], origin: str, method: str, wanted: list[str]) -> list[tuple[str, str]] | None:
    """What an answer to ``origin`` says by the first of ``rules`` that fits; None where there is none."""
    for rule in rules:
        allowed = [name.lower() for name in rule.allowed_headers or []]
        if (
            method in rule.allowed_methods
            and any(_fits(pattern, origin) for pattern in rule.allowed_origins)
            and all(any(_fits(pattern, name) for pattern in allowed) for name in wanted)
        ):
            break
    else:
        return None
    headers = [("Access-Control-Allow-Origin", "*" if "*" in rule.allowed_origins else origin)]
    headers.append(("Access-Control-Allow-Methods", ", ".join(rule.allowed_methods)))
    if wanted:
        headers.append(("Access-Control-Allow-Headers", ", ".join(wanted)))
    if rule.exposed_headers:
        headers.append(("Access-Control-Expose-Headers", ", ".join(rule.exposed_headers)))
    if rule.max_age_seconds:
        headers.append(("Access-Control-Max-Age", str(rule.max_age_seconds)))
    if "*" not in rule.allowed_origins:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    headers.append(("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"))
    return headers


def _fits(pattern: str, value: str) -> bool:
    """Whether ``value`` is ``pattern``, in which ``*`` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value) is not None


class Queues:
    """moto's SQS, one request at a time; made when the first request comes.

    moto changes a queue's messages without a lock, by which some get lost or are handed out twice when several threads
    do; and a request that waits for messages of a busy FIFO queue keeps a processor busy. So the waiting is done here.
    """

    def __init__(self) -> None:
        self._application: Wsgi | None = None
        self._changed = threading.Condition()
        self._now = 0.0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        receives = environ["HTTP_X_AMZ_TARGET"].endswith(".ReceiveMessage")
        body = environ["wsgi.input"].read()
        with self._changed:
            wait, body = _without_waiting(body) if receives else (0.0, body)
            end = time.monotonic() + wait
            while True:
                status, headers, answer = self._ask(environ, body)
                left = end - time.monotonic()
                if left <= 0 or b'"Messages"' in answer or not status.startswith("200"):
                    break
                # Messages also appear by time alone: when a delay or a visibility timeout is over.
                self._changed.wait(min(left, _GLANCE))
                if _has_left(environ["werkzeug.socket"]):
                    # Nobody would read the answer, and its messages would be hidden for their visibility timeout.
                    break
            if not receives:
                self._changed.notify_all()
        start_response(status, headers)
        return [answer]

    def _ask(self, environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        if self._application is None:
            # A request has one time for all that it does. moto would go through dates to get it, twice for each message
            # in the queue for each one that is sent or received: a thousand messages would take seconds.
            models: Any = importlib.import_module("moto.sqs.models")
            models.unix_time_millis = lambda: self._now
            self._application = create_backend_app("sqs")
        self._now = time.time() * 1000
        for queue in _queues():
            # moto does so for one message after the other, by which the last of a FIFO group comes back before others.
            queue.pending_messages.intersection_update([each for each in queue.pending_messages if not each.visible])
        own = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            started.append((status, headers))

        answer = b"".join(self._application(own, start_response))
        return *started[-1], answer


def _without_waiting(body: bytes) -> tuple[float, bytes]:
    """The seconds that a ReceiveMessage would wait, and the same request that does not."""
    try:
        request = json.loads(body)
        wait = request.get("WaitTimeSeconds")
        if wait is None:
            wait = _default_wait(request["QueueUrl"].rpartition("/")[2])
    except (ValueError, KeyError, AttributeError):
        return 0.0, body
    if not isinstance(wait, int) or not 0 <= wait <= 20:
        return 0.0, body  # moto says what is wrong with it
    return wait, json.dumps({**request, "WaitTimeSeconds": 0}).encode()


def _default_wait(name: str) -> Any:
    return next((queue.receive_message_wait_time_seconds for queue in _queues() if queue.name == name), 0)


def _queues() -> list[Any]:
    from moto.sqs.models import sqs_backends

    return [queue for backend in sqs_backends[DEFAULT_ACCOUNT_ID].values() for queue in backend.queues.values()]


def _has_left(connection: socket.socket) -> bool:
    """Whether the client has closed its connection."""
    try:
        return bool(select.select([connection], [], [], 0)[0]) and not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


class Services:
    """Both on one port: SQS has its operation in a header, ``X-Amz-Target: AmazonSQS.SendMessage``.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
    """

    def __init__(self, s3: Wsgi, sqs: Wsgi) -> None:
        self._s3 = s3
        self._sqs = sqs

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        chosen = self._sqs if environ.get("HTTP_X_AMZ_TARGET", "").startswith("AmazonSQS.") else self._s3
        return chosen(environ, start_response)


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


def _address(environ: dict[str, Any]) -> tuple[str, str]:
    """The bucket and the key that a request is for."""
    bucket, _, name = environ["PATH_INFO"].encode("latin-1").decode(errors="replace").lstrip("/").partition("/")
    return bucket, name


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
    parser.add_argument("--origin", action="append", default=[], help="a site whose pages may use the bucket")
    options = parser.parse_args()
    store = Store(options.store)
    store.restore()
    create_bucket(options.bucket)
    if options.origin:
        methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
        rule = {"AllowedOrigin": options.origin, "AllowedMethod": methods, "AllowedHeader": "*", "ExposeHeader": "ETag"}
        _backend().put_bucket_cors(options.bucket, [rule])
    s3 = CrossOrigin(Mirrored(create_backend_app("s3"), store, Changes()))
    application = Services(s3, Queues())
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler, fd=options.fd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    # Nothing here needs an orderly end: every change is on disk before its answer is sent.
    os._exit(0)


if __name__ == "__main__":
    main()
