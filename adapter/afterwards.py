"""What is done once the answer has left, so that nobody waits for it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import ParamSpec

P = ParamSpec("P")

Work = Callable[[], object]

logger = logging.getLogger("adapter")


def _do(work: Work) -> object:
    return work()


class Afterwards:
    """The work that an invocation leaves for after its answer, and the end of its request.

    A process serves one invocation at a time, so one instance is enough, and threads of a request find it too.
    """

    def __init__(self) -> None:
        self.deferred = False
        """Whether the runtime calls `run` when the answer has left; otherwise `end` does, just before it leaves."""
        self.open = False
        """Whether a request is at hand, so that work may be left for after its answer."""
        self._work: list[Work] = []
        self._close: Work | None = None
        self._call: Callable[[Work], object] = _do

    def add(self, work: Work) -> None:
        """Leave ``work`` for later; where no request is at hand it is done at once."""
        if self.open:
            self._work.append(work)
        else:
            work()

    def end(self, close: Work | None, call: Callable[[Work], object] = _do) -> None:
        """The application is done but for ``close``, which ends its request; ``call`` does work where it belongs."""
        if self.deferred:
            self._close, self._call = close, call
            return
        self.open = False
        if self._work:
            self._do_work(call)
        if close is not None:
            _log_failure(close)

    def run(self) -> None:
        """The answer has left: do the work, then end the request. Whatever fails is logged, and the rest is done."""
        self.open = False
        if self._work:
            self._do_work(self._call)
        if self._close is not None:
            close, self._close = self._close, None
            _log_failure(close)

    def _do_work(self, call: Callable[[Work], object]) -> None:
        while self._work:
            _log_failure(self._work.pop(0), call)


def _log_failure(work: Work, call: Callable[[Work], object] = _do) -> None:
    try:
        call(work)
    except Exception:
        # Not its arguments: they may be somebody's secrets.
        named = getattr(work.func if isinstance(work, partial) else work, "__qualname__", type(work).__name__)
        logger.exception("What was left for after the answer failed: %s", named)


afterwards = Afterwards()


def after_response(function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Call ``function`` once the answer has left, before the environment is frozen.

    Under the runtime loop of this package nobody waits for it; under AWS's own it is called just before the answer
    leaves. It counts towards the function's time limit either way. The request is not over yet: its database
    connections are open, and closed behind it; by ASGI it is called in the thread of synchronous views. What it raises
    is logged. Outside of a request (in a command, in a test without events) it is called at once.
    """
    if inspect.iscoroutinefunction(function):
        raise TypeError(
            f"after_response() calls plain functions, and {function.__qualname__} is a coroutine function. Wrap it: "
            f"after_response(async_to_sync({function.__qualname__}), ...), with asgiref.sync.async_to_sync."
        )
    afterwards.add(partial(function, *args, **kwargs))
