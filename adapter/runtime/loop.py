"""The loop: load the handler, then event, handler, answer, for as long as the process lives."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ..exceptions import AdapterError, ConfigurationError
from .client import Invocation, RuntimeClient
from .context import LambdaContext

Handler = Callable[[Any, Any], Any]


def run() -> NoReturn:
    """Serve the handler that ``_HANDLER`` names until the process is told to stop.

    Reads ``AWS_LAMBDA_RUNTIME_API`` (``host:port``), ``_HANDLER`` (``package.module.function``) and
    ``LAMBDA_TASK_ROOT`` (where the code is). Exit status 1 when the handler can't be loaded or the API is gone.
    """
    address = os.environ.get("AWS_LAMBDA_RUNTIME_API")
    if not address:
        sys.exit(
            "AWS_LAMBDA_RUNTIME_API is not set: the function service sets it, and so does `django-faas emulate`, "
            "which is the way to run a project on this machine."
        )
    signal.signal(signal.SIGTERM, _stop)
    client = RuntimeClient(address)
    try:
        handler = _load_or_report(client)
        try:
            serve(client, handler)
        finally:
            close = getattr(handler, "close", None)
            if close is not None:
                close()
    except AdapterError as error:
        sys.exit(str(error))
    finally:
        client.close()


def serve(client: RuntimeClient, handler: Handler) -> NoReturn:
    """Answer invocations for ever; only what must end the process leaves this function."""
    while True:
        invocation = client.next()
        trace = invocation.headers.get("lambda-runtime-trace-id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace  # where the X-Ray SDKs look for it
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        try:
            payload, content_type = _answer(handler, invocation)
        except Exception as error:
            error_type, report = _report(error, invocation.request_id)
            client.fail(invocation.request_id, error_type, report)
        else:
            client.respond(invocation.request_id, payload, content_type)


def _answer(handler: Handler, invocation: Invocation) -> tuple[bytes, str]:
    answer = handler(json.loads(invocation.payload), LambdaContext(invocation.headers))
    if isinstance(answer, bytes):
        return answer, "application/octet-stream"
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"


def _load_or_report(client: RuntimeClient) -> Handler:
    try:
        return load_handler(os.environ.get("_HANDLER", ""))
    except Exception as error:
        error_type, report = _report(error, None)
        client.fail_init(error_type, report)
        sys.exit(1)


def load_handler(name: str) -> Handler:
    """The callable that ``name`` (``package.module.function``) stands for; importing it is the INIT phase."""
    module_name, _, attribute = name.replace("/", ".").rpartition(".")
    if not module_name:
        raise ConfigurationError(
            f"_HANDLER is {name!r}; it must name a module and a function in it, as adapter.entrypoint.handler does."
        )
    task_root = os.environ.get("LAMBDA_TASK_ROOT")
    if task_root and task_root not in sys.path:
        sys.path.insert(0, task_root)
    module = importlib.import_module(module_name)
    try:
        handler: Handler = getattr(module, attribute)
    except AttributeError:
        raise ConfigurationError(f"_HANDLER is {name!r}, but {module_name} has no {attribute!r}.") from None
    return handler


def _report(error: Exception, request_id: str | None) -> tuple[str, bytes]:
    """The error's type and the JSON the Runtime API takes; written to the log on the way.

    The adapter's own errors say all there is to say, so they come without a traceback.
    """
    error_type = type(error).__name__
    explained = isinstance(error, AdapterError)
    where = f" (request {request_id})" if request_id else ""
    details = _without_machinery(error)
    log = f"{error_type}: {error}" if explained else "".join(details.format())
    print(f"[ERROR]{where} {log.rstrip()}", file=sys.stderr, flush=True)  # noqa: T201
    report = {
        "errorMessage": str(error),
        "errorType": error_type,
        "requestId": request_id or "",
        "stackTrace": [] if explained else details.stack.format(),
    }
    return error_type, json.dumps(report).encode()


def _without_machinery(error: Exception) -> traceback.TracebackException:
    """The error's traceback from where the project's code begins, without the frames of the import system."""
    details = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in details.stack if "importlib" not in frame.filename]
    while len(frames) > 1 and frames[0].filename.startswith(_ADAPTER):
        del frames[0]
    details.stack = traceback.StackSummary.from_list(frames)
    return details


_ADAPTER = str(Path(__file__).parents[1])


def _stop(signal_number: int, frame: object) -> NoReturn:  # noqa: ARG001
    raise SystemExit(0)
