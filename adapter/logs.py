"""Where log records go on a function, and what each says of its invocation.

AWS's runtime puts a handler on the root logger before the project's code is loaded, ours puts none; Django adds its
defaults, and the project its LOGGING. What comes out is the same in all of these: each record once, whole, with its
request id, in the format asked for.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TextIO

from .exceptions import ConfigurationError
from .http import HTTPResponse, printable
from .invocation import Invocation, current_invocation
from .log_lines import JSONFormatter, TextFormatter

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "critical": logging.CRITICAL,
}

_access = logging.getLogger("adapter.access")


class LogOptions(NamedTuple):
    """What the environment says about logs.

    ``json`` (``FAAS_LOG_FORMAT``, else ``AWS_LAMBDA_LOG_FORMAT``, else text), ``level`` (``FAAS_LOG_LEVEL``, else
    ``AWS_LAMBDA_LOG_LEVEL``, else None: the project's) with ``insistent`` where it was ours that set it, and
    ``access`` (``FAAS_ACCESS_LOG``; None where it is left to us).
    """

    json: bool = False
    level: int | None = None
    insistent: bool = False
    access: bool | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> LogOptions:
        """The options that ``environment`` sets; `ConfigurationError` names a value of ours that can't be used."""
        _one_of(environment, "FAAS_LOG_FORMAT", ("json", "text"))
        own = _one_of(environment, "FAAS_LOG_LEVEL", _LEVELS)
        access = _one_of(environment, "FAAS_ACCESS_LOG", ("0", "1", "false", "true"))
        return cls(
            json=wants_json(environment),
            level=_LEVELS.get(own or environment.get("AWS_LAMBDA_LOG_LEVEL", "").lower()),
            insistent=bool(own),
            access=access in {"1", "true"} if access else None,
        )


def wants_json(environment: Mapping[str, str]) -> bool:
    """Whether lines are to be JSON; asked by itself where an error must be told, whatever else is wrong."""
    chosen = environment.get("FAAS_LOG_FORMAT") or environment.get("AWS_LAMBDA_LOG_FORMAT", "")
    return chosen.lower() == "json"


def _one_of(environment: Mapping[str, str], name: str, values: Iterable[str]) -> str:
    value = environment.get(name, "").lower()
    if value and value not in values:
        raise ConfigurationError(f"{name} is {environment[name]!r}; it can be one of {', '.join(values)}.")
    return value


def prepare() -> None:
    """Before the project's settings are imported: the level that Lambda is set to, and records with a request id.

    No handler yet: it would turn a `logging.basicConfig` of the settings into nothing.
    """
    options = LogOptions.from_environment(os.environ)
    _give_records_a_request_id()
    if options.level is not None:
        logging.getLogger().setLevel(options.level)


def configure() -> None:
    """After `django.setup`: send every record to the function's log once, in the format of the environment's choice.

    May be called again when LOGGING has been applied anew. Raises `ConfigurationError` for an environment variable
    with a value it can't have.
    """
    options = LogOptions.from_environment(os.environ)
    _give_records_a_request_id()
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(_handler(options.json))
    if options.level is not None and options.insistent:
        root.setLevel(options.level)
    for handler in _handlers():
        if _is_the_last(handler):
            # Behind the project's own on the root logger, it sees what they have written.
            root.removeHandler(handler)
            root.addHandler(handler)
            handler.addFilter(_is_unwritten)
            _adapt(handler, options.json)
        elif _is_console(handler):
            handler.addFilter(_note_written)
            if options.json and _is_plain(handler.formatter):
                handler.setFormatter(JSONFormatter())
    _enable_our_loggers(options)


def access(invocation: Invocation, status: int, size: int) -> None:
    """The line about a request that has been answered with ``size`` bytes of body; nothing where it is switched off.

    The query is left out: keys and tokens travel in it, and whatever a form sends by GET.
    """
    if not _access.isEnabledFor(logging.INFO):
        return
    milliseconds = round(invocation.elapsed() * 1000, 1)
    path = invocation.path
    fields = {
        "method": invocation.method, "path": path, "status": status, "durationMs": milliseconds, "bytes": size,
    }  # fmt: skip
    arguments = (invocation.method, printable(path), status, milliseconds, size, ", cold" if invocation.cold else "")
    # Made here, as Logger.info() would go through the stack to find out what is known: where it was called.
    record = _access.makeRecord(
        _access.name, logging.INFO, __file__, 0, "%s %s %d in %s ms, %d bytes%s", arguments, None, "access", fields
    )
    _access.handle(record)


def add_request_id(response: HTTPResponse, header: str) -> None:
    """Name the invocation in the response header called ``header``, unless the application has set that itself."""
    invocation = current_invocation()
    request_id = invocation.request_id if invocation is not None else None
    if request_id and not any(name.lower() == header.lower() for name, _ in response.headers):
        response.headers.append((header, request_id))


def header_name(environment: Mapping[str, str], variable: str) -> str:
    """The name of a header that ``variable`` holds, empty where it holds none (RFC 9110, 5.1)."""
    name = environment.get(variable, "")
    if not re.fullmatch(r"[-!#$%&'*+.^_`|~0-9A-Za-z]*", name):
        raise ConfigurationError(f"{variable} is {name!r}; it must be the name of a header, as X-Request-ID is.")
    return name


class Record(logging.LogRecord):
    """A record with a ``request_id``, for a formatter's ``%(request_id)s``.

    It comes to be when it is asked for: were it there from the start, `logging` would refuse an ``extra`` of that name.
    """

    def __getattr__(self, name: str) -> Any:
        if name != "request_id":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        invocation = current_invocation()
        self.__dict__["request_id"] = request_id = (invocation and invocation.request_id) or "-"
        return request_id

    def getMessage(self) -> str:  # noqa: N802
        # What every formatter calls before it fills the record's __dict__ into its format.
        self.request_id  # noqa: B018
        return super().getMessage()


def _give_records_a_request_id() -> None:
    make = logging.getLogRecordFactory()
    if make is logging.LogRecord:
        logging.setLogRecordFactory(Record)
    elif make is not Record and not hasattr(make, "_makes_ours"):
        logging.setLogRecordFactory(_wrapped(make))


def _wrapped(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """A factory that somebody else has set (a tracer does), its records made ours."""

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if type(record) is logging.LogRecord:
            record.__class__ = Record
        return record

    factory._makes_ours = True  # type: ignore[attr-defined]
    return factory


class TelemetryHandler(logging.Handler):
    """Writes to the descriptor on which Lambda takes records whole: one event each, however many lines it has.

    A frame is its kind and level (4 bytes), the length (4), microseconds since the epoch (8), and the text:
    https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/bootstrap.py
    """

    def __init__(self, descriptor: int, json: bool) -> None:
        super().__init__()
        self._stream = open(descriptor, "wb", closefd=False)  # noqa: SIM115 - open for as long as the process
        self._json = json

    def emit(self, record: logging.LogRecord) -> None:
        try:
            content = self.format(record).encode("utf-8", "backslashreplace")
            microseconds = int(record.created * 1_000_000)
            frame = (
                frame_type(record.levelno, self._json),
                len(content).to_bytes(4, "big"),
                microseconds.to_bytes(8, "big"),
                content,
            )
            self._stream.write(b"".join(frame))
            self._stream.flush()
        except Exception:
            self.handleError(record)


def frame_type(level: int, json: bool) -> bytes:
    """The first four bytes of a frame: the protocol's mark, and kind and level in the last byte."""
    steps = min(level, logging.CRITICAL) // 10
    return (0xA55A0000 | (2 if json else 3) | (4 * (steps + 1) if steps > 0 else 0)).to_bytes(4, "big")


class _ForAWS(logging.Formatter):
    """A formatter for the handler of AWS's runtime, which ends no line itself and asks the record for its frame."""

    def __init__(self, formatter: logging.Formatter, json: bool) -> None:
        super().__init__()
        self._formatter = formatter
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        record._frame_type = frame_type(record.levelno, self._json)
        return self._formatter.format(record) + "\n"


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr, which Lambda reads line by line: where the telemetry descriptor is not to be had."""


def _handler(json: bool) -> logging.Handler:
    """A handler for the root logger where neither the runtime nor the project has set one."""
    descriptor = os.environ.get("_LAMBDA_TELEMETRY_LOG_FD", "")
    # The workers of a managed instance would write into each other's frames.
    framed = descriptor.isdecimal() and "AWS_LAMBDA_MAX_CONCURRENCY" not in os.environ
    handler = TelemetryHandler(int(descriptor), json) if framed else StderrHandler()
    handler.setFormatter(JSONFormatter() if json else TextFormatter())
    return handler


def _adapt(handler: logging.Handler, json: bool) -> None:
    """Give the handler of AWS's runtime our formatter, unless the project has given it one."""
    if not _is_aws(handler):
        return
    if _is_aws_formatter(handler.formatter) or (json and _is_plain(handler.formatter)):
        handler.setFormatter(_ForAWS(JSONFormatter() if json else TextFormatter(), json))


def _handlers() -> set[logging.Handler]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    return {handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers}


def _is_the_last(handler: logging.Handler) -> bool:
    """Whether it is the root logger's handler that no project asked for."""
    return isinstance(handler, (TelemetryHandler, StderrHandler)) or _is_aws(handler)


def _is_aws(handler: logging.Handler) -> bool:
    return hasattr(handler, "log_sink")


def _is_console(handler: logging.Handler) -> bool:
    """Whether it writes to stdout or stderr, which is to say, to the function's log."""
    if not isinstance(handler, logging.StreamHandler) or isinstance(handler, logging.FileHandler):
        return False
    try:
        return handler.stream.fileno() in {1, 2}
    except (AttributeError, OSError, ValueError):
        return handler.stream in {sys.stdout, sys.stderr}


def _is_plain(formatter: logging.Formatter | None) -> bool:
    """Whether the formatter makes text and nothing else: a class of the project's own knows what it does."""
    return formatter is None or type(formatter).__module__ in {"logging", "django.utils.log"}


def _is_aws_formatter(formatter: logging.Formatter | None) -> bool:
    layout = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t"
    return type(formatter).__module__.startswith("awslambdaric.") or (
        formatter is not None and _is_plain(formatter) and (formatter._fmt or "").startswith(layout)
    )


def _note_written(record: logging.LogRecord) -> bool:
    record._written = True
    return True


def _is_unwritten(record: logging.LogRecord) -> bool:
    return "_written" not in record.__dict__


def _enable_our_loggers(options: LogOptions) -> None:
    """Undo LOGGING's ``disable_existing_loggers``, which is on unless a project says otherwise."""
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and (name == "adapter" or name.startswith("adapter.")):
            logger.disabled = False
    if options.access is None and _access.level != logging.NOTSET:
        return
    wanted = options.json and (options.level or 0) <= logging.INFO if options.access is None else options.access
    _access.setLevel(logging.INFO if wanted else logging.WARNING)
