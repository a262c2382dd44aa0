"""The loop: load the handler, then event, handler, answer, for as long as the process lives."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import site
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from ..afterwards import afterwards
from ..exceptions import AdapterError, ConfigurationError, RuntimeAPIError, RuntimeFault
from ..limits import DeadlineExceeded
from .client import Invocation, ReaderGoneError, RefusedError, RuntimeClient
from .context import LambdaContext
from .report import Report, tell

Handler = Callable[[Any, Any], Any]


def run() -> NoReturn:
    """Serve the handler that ``_HANDLER`` names until the process is told to stop.

    Reads ``AWS_LAMBDA_RUNTIME_API`` (``host:port``), ``_HANDLER`` (``package.module.function``),
    ``LAMBDA_TASK_ROOT`` (where the code is), ``AWS_LAMBDA_INITIALIZATION_TYPE`` (``snap-start`` waits to be restored)
    and ``AWS_LAMBDA_MAX_CONCURRENCY`` (so many processes share what was loaded). Exit status 1 when the handler can't
    be loaded or the API is gone.
    """
    address = os.environ.get("AWS_LAMBDA_RUNTIME_API")
    if not address:
        sys.exit(
            "AWS_LAMBDA_RUNTIME_API is not set: the function service sets it, and so does `django-faas emulate`, "
            "which is the way to run a project on this machine."
        )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a view's print() belongs to the log at once
    signal.signal(signal.SIGTERM, stop)
    client = RuntimeClient(address)
    try:
        handler = _load_or_report(client)
        concurrency = os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY")
        if concurrency:
            from . import workers

            client.close()
            workers.run(address, handler, _count(concurrency))
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            from . import snapshot

            snapshot.take(client)
        serve(client, handler)
    except AdapterError as error:
        sys.exit(str(error))
    finally:
        client.close()


def _count(concurrency: str) -> int:
    if not concurrency.isdecimal() or not int(concurrency):
        raise ConfigurationError(f"AWS_LAMBDA_MAX_CONCURRENCY is {concurrency!r}; it must be a number of 1 or more.")
    return int(concurrency)


def serve(client: RuntimeClient, handler: Handler) -> NoReturn:
    """Answer invocations for ever; only what must end the process leaves this function, and closes ``handler``."""
    afterwards.deferred = True
    try:
        while True:
            invocation = client.next()
            trace = invocation.headers.get("lambda-runtime-trace-id")
            if trace:
                os.environ["_X_AMZN_TRACE_ID"] = trace  # where the X-Ray SDKs look for it
            else:
                os.environ.pop("_X_AMZN_TRACE_ID", None)
            try:
                _serve(client, handler, invocation)
            except RefusedError as error:
                tell("ERROR", str(error), invocation.request_id)
            finally:
                afterwards.run()
    finally:
        close = getattr(handler, "close", None)
        if close is not None:
            close()


def _serve(client: RuntimeClient, handler: Handler, invocation: Invocation) -> None:
    try:
        answer = handler(_event(invocation), LambdaContext(invocation.headers))
        if not isinstance(answer, Iterator):
            payload, content_type = _marshalled(answer)
    except Exception as error:
        report = Report(error, invocation.request_id)
        client.fail(invocation, report.error_type, report.payload, report.cause)
        return
    if isinstance(answer, Iterator):
        _stream(client, invocation, answer)
    else:
        client.respond(invocation, payload, content_type)


def _stream(client: RuntimeClient, invocation: Invocation, pieces: Iterator[bytes]) -> None:
    answer = client.stream(invocation, getattr(pieces, "content_type", "application/octet-stream"))
    try:
        try:
            for piece in pieces:
                answer.write(piece)
        except (ReaderGoneError, RuntimeAPIError):
            raise
        except (Exception, DeadlineExceeded) as error:
            report = Report(error, invocation.request_id)
            answer.fail(report.error_type, report.payload)
        else:
            answer.end()
    except ReaderGoneError:
        tell("INFO", "The client left before the answer's end.", invocation.request_id)
    finally:
        _close(pieces, invocation)


def _close(pieces: Iterator[bytes], invocation: Invocation) -> None:
    """Let an iterator end its work; its answer has left or is given up, so what fails is only logged."""
    close = getattr(pieces, "close", None)
    if close is not None:
        try:
            close()
        except Exception as error:
            Report(error, invocation.request_id)


def _event(invocation: Invocation) -> Any:
    try:
        return json.loads(invocation.payload)
    except ValueError as error:
        raise RuntimeFault("Runtime.UnmarshalError", f"The event is no JSON: {error}") from None


def _marshalled(answer: Any) -> tuple[bytes, str]:
    if isinstance(answer, bytes):
        return answer, "application/octet-stream"
    try:
        return _encode(answer).encode(), "application/json"
    except (TypeError, ValueError, RecursionError) as error:
        raise RuntimeFault("Runtime.MarshalError", f"The handler's answer can't be made JSON: {error}") from None


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _load_or_report(client: RuntimeClient) -> Handler:
    try:
        return load_handler(os.environ.get("_HANDLER", ""))
    except Exception as error:
        report = Report(error)
        client.fail_init(report.error_type, report.payload)
        sys.exit(1)


def load_handler(name: str) -> Handler:
    """The callable that ``name`` (``package.module.function``) stands for; importing it is the INIT phase."""
    module_name, _, attribute = name.replace("/", ".").rpartition(".")
    if not module_name:
        raise ConfigurationError(
            f"_HANDLER is {name!r}; it must name a module and a function in it, as adapter.entrypoint.handler does."
        )
    task_root = os.environ.get("LAMBDA_TASK_ROOT")
    if task_root:
        if task_root not in sys.path:
            sys.path.insert(0, task_root)
        site.addsitedir(task_root)  # for .pth files, as AWS's runtime does
    module = importlib.import_module(module_name)
    try:
        handler: Handler = getattr(module, attribute)
    except AttributeError:
        raise ConfigurationError(f"_HANDLER is {name!r}, but {module_name} has no {attribute!r}.") from None
    return handler


def stop(signal_number: int, frame: object) -> NoReturn:  # noqa: ARG001
    """Handles SIGTERM: the process ends, with all that hangs on its end."""
    raise SystemExit(0)
