"""What a process starts or makes up when the project is imported."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from django.conf import settings
from django.core import checks

from .lookup import imported

# What looks after a process from inside: debuggers, test runners, Django's own reloader and test servers, ourselves.
_TOOLS = {"_pydevd_bundle", "_pytest", "adapter", "debugpy", "django", "execnet", "pydevd", "pytest_timeout"}
_MACHINERY = {"threading", "concurrent.futures.thread"}


def check_threads() -> Iterator[checks.CheckMessage]:
    """Threads that are running once the settings, the apps and the URLconf are imported."""
    imported(f"{settings.ROOT_URLCONF}.urlpatterns")
    frames = sys._current_frames()
    expected = {threading.main_thread(), threading.current_thread()}
    for thread in threading.enumerate():
        # A thread that Python did not start is a debugger's or an extension module's.
        if thread in expected or isinstance(thread, threading._DummyThread):
            continue
        module, function = _started_for(frames.get(thread.ident or 0))
        if module.partition(".")[0] not in _TOOLS:
            runs = f" to run {module}.{function}" if module else ""
            yield checks.Warning(
                f"This thread was started{runs} when the project was imported. Between requests the environment is "
                "frozen, and the thread with it: what it does at intervals comes late or never, and what it is "
                "connected to hangs up.",
                hint="Start it in no module that a request imports. Do the work in a request when its time has come, "
                "after the answer (adapter.after_response), or on a schedule (EventBridge). A library that sends in "
                "the background can mostly be told to flush.",
                obj=f"Thread {thread.name!r}",
                id="faas.W050",
            )


def _started_for(frame: FrameType | None) -> tuple[str, str]:
    """The module and function that a thread runs; both empty where it is a waiting worker of the standard library."""
    found = "", ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module not in _MACHINERY:
            found = module, frame.f_code.co_qualname
        frame = frame.f_back
    return found


_MADE_UP = re.compile(r"get_random_secret_key|get_random_string|token_(?:bytes|hex|urlsafe)|urandom|uuid[14]\b")


def check_secret_key() -> Iterator[checks.CheckMessage]:
    """A key that is made up at import: settings that look like it are loaded once more, which makes up another."""
    name = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    try:
        module = importlib.import_module(name)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None or not _MADE_UP.search(inspect.getsource(module)):
            return
        again = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(again)
    except Exception:
        # Settings that can be loaded only once, or have no source, tell nothing.
        return
    if getattr(again, "SECRET_KEY", None) != getattr(module, "SECRET_KEY", None):
        yield checks.Warning(
            f"{name} makes up a key when it is loaded, so each environment has another: the next one refuses the "
            "sessions, password links and CSRF tokens that this one has signed.",
            hint='SECRET_KEY = os.environ["SECRET_KEY"], with no default.',
            obj="SECRET_KEY",
            id="faas.W051",
        )
