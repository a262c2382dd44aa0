"""The invocation at hand, for all that wants to name it: log lines, error pages, the project's own code."""

from __future__ import annotations

import os
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from .http import HTTPRequest


class Invocation:
    """What is known of one call of the function; looked up in its context object when it is asked for.

    ``context`` is the context object of the runtime at hand, None where there was none. ``cold`` tells the first
    invocation of a process that was booted for it: not where the boot was paid for in advance (provisioned
    concurrency, SnapStart, managed instances). ``started`` is on the clock of `time.perf_counter`, in seconds.
    ``request`` is the HTTP request that the event is, None for one that is none.
    """

    __slots__ = ("_trace_id", "cold", "context", "request", "started")

    def __init__(self, context: Any, request: HTTPRequest | None, cold: bool) -> None:
        self.context = context
        self.request = request
        self.cold = cold
        self.started = perf_counter()
        self._trace_id: str | None = None

    @property
    def method(self) -> str:
        """The request's method, empty where the event is no request."""
        return self.request.method if self.request is not None else ""

    @property
    def path(self) -> str:
        """The request's path as Django's ``request.path`` has it, decoded and without the query."""
        if self.request is None:
            return ""
        return self.request.script_name + self.request.path.decode("utf-8", "backslashreplace")

    @property
    def request_id(self) -> str | None:
        """Lambda's id of the invocation: the one in its START, END and REPORT lines."""
        return getattr(self.context, "aws_request_id", None)

    @property
    def tenant_id(self) -> str | None:
        """The tenant, for a function with tenant isolation."""
        return getattr(self.context, "tenant_id", None)

    @property
    def function_arn(self) -> str | None:
        """The ARN that was called, with the alias or version if one was named."""
        return getattr(self.context, "invoked_function_arn", None)

    @property
    def function_version(self) -> str | None:
        """The version that runs: a number, or ``$LATEST``."""
        return getattr(self.context, "function_version", None)

    @property
    def trace_id(self) -> str | None:
        """X-Ray's trace: the root of the tracing header, as in ``1-5759e988-bd862e3fe1be46a994272793``.

        AWS's runtime has the header in a variable of the process alone, which the next invocation overwrites; once
        it was asked for, it is kept.
        https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
        """
        if not self._trace_id:
            header = getattr(self.context, "trace_id", None) or os.environ.get("_X_AMZN_TRACE_ID", "")
            self._trace_id = header.partition("Root=")[2].partition(";")[0]
        return self._trace_id or None

    def elapsed(self) -> float:
        """Seconds since the invocation began."""
        return perf_counter() - self.started

    def __repr__(self) -> str:
        return f"Invocation(request_id={self.request_id!r}, method={self.method!r}, path={self.path!r})"


current: ContextVar[Invocation | None] = ContextVar("invocation", default=None)

_latest: Invocation | None = None
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_fresh = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand"


def begin(context: Any, request: HTTPRequest | None = None) -> Invocation:
    """The invocation that starts now: the current one until the next begins, so for work after the answer, too."""
    global _fresh, _latest  # noqa: PLW0603 - facts about the process
    invocation = _latest = Invocation(context, request, _fresh)
    _fresh = False
    current.set(invocation)
    return invocation


def current_invocation() -> Invocation | None:
    """The invocation that the running code belongs to, None before the first.

    Tasks, and threads that were started with a copy of the context, keep theirs for as long as they live. A thread
    without one gets the latest: a process serves one invocation at a time.
    """
    return current.get() or _latest
