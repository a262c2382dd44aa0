"""What the fixtures for tests start: it runs beside the test's own thread, and ends with the block it is opened in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .bucket import BucketServer
from .emulation import Emulation, Options
from .log import Log

T = TypeVar("T")


@contextmanager
def emulation(folder: Path, state: Path, **options: Any) -> Iterator[Emulation]:
    """The project in ``folder``, emulated; what is kept goes into ``state``.

    ``options`` are those of `Options`; without any, on free ports and heedless of changes to the project's files.
    Raises `EmulatorError`.
    """
    with _loop_beside() as loop:
        running = Emulation(folder, Options(**{"port": 0, "reload": False, **options}), Log(), state)
        _run(running.__aenter__(), loop)
        try:
            yield running
        finally:
            _run(running.__aexit__(None, None, None), loop)


@contextmanager
def services(store: Path) -> Iterator[str]:
    """The URL where an S3 and an SQS service answer; raises `BucketError`."""
    with _loop_beside() as loop:
        server = BucketServer("unused", store)
        try:
            _run(server.start(), loop)
            yield server.url
        finally:
            _run(server.stop(), loop)


def _run(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()


@contextmanager
def _loop_beside() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own."""
    # Not asyncio's policy for the calling thread: the tests may have a loop there.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=loop.run_forever, name="emulator", daemon=True)
        thread.start()
        try:
            yield loop
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
