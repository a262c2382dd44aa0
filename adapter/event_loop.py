"""The event loop under the ASGI leg."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context, copy_context
from selectors import BaseSelector
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")


class Loop(asyncio.SelectorEventLoop):
    """An event loop that can take a task's first step without a turn of its own.

    An application that never has to wait is done after that step, and a turn with its system calls costs more than
    all the rest of an invocation.
    """

    _first: list[Callable[..., object]] | None = None
    _stepping = False
    # Attributes of asyncio's own that typeshed leaves out; they are the same from Python 3.11 to 3.14.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _selector: BaseSelector
    _asyncgen_firstiter_hook: Callable[[AsyncGenerator[Any, Any]], None]
    _asyncgen_finalizer_hook: Callable[[AsyncGenerator[Any, Any]], None]

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that has come to its end, or to where it first waits; its context is a copy of the caller's."""
        context = copy_context()
        first: list[Callable[..., object]] = []
        self._first = first
        try:
            task = self.create_task(coroutine, context=context)
        finally:
            self._first = None
        self._stepping = True
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
        asyncio._set_running_loop(self)
        try:
            context.run(first[0])
        finally:
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            self._stepping = False
        return task

    @property
    def idle(self) -> bool:
        """Whether nothing waits for a turn of the loop: no callback, no timer, no socket (but its own)."""
        return not self._ready and not self._scheduled and len(self._selector.get_map()) <= 1

    def is_running(self) -> bool:
        return self._stepping or super().is_running()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if self._first is not None:
            self._first.append(callback)
            return asyncio.Handle(callback, args, self, context)
        return super().call_soon(callback, *args, context=context)
