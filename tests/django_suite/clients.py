"""The ways a request of the suite's test client can go, and how it is sent on one of them.

``wsgi`` and ``asgi`` lead straight into Django, by WSGI as its client always does, by ASGI as an ASGI server does: what
passes there has to pass on the others. ``wsgi:alb`` and the like lead through a front door and the adapter.
"""

from __future__ import annotations

import os
from typing import Any

from django.test import client

from emulator.front_doors import create
from emulator.testing import AsyncEventHandler, EventHandler

from .asgi import DirectHandler, EventScopeHandler


def install(way: str, counter: int) -> None:
    """Send every client's requests by ``way``; each writes one byte to the file descriptor ``counter``."""
    interface, _, door = way.partition(":")
    handler: Any = {"wsgi": client.ClientHandler, "asgi": DirectHandler}[interface]
    if door:
        handler = {"wsgi": EventHandler, "asgi": EventScopeHandler}[interface]
    vars(client)["ClientHandler"] = _counting(handler, door, counter)
    # By WSGI there is no way for it: it holds an ASGI scope.
    if interface == "asgi" and door:
        vars(client)["AsyncClientHandler"] = _counting(AsyncEventHandler, door, counter)


def _counting(handler: Any, door: str, counter: int) -> type:
    def initialise(self: Any, enforce_csrf_checks: bool = True) -> None:
        handler.__init__(self, *([create(door)] if door else []), enforce_csrf_checks)

    def call(self: Any, message: dict[str, Any]) -> Any:
        os.write(counter, b".")
        return handler.__call__(self, message)

    # The suite derives a handler of its own from the client's, so it has to be a class.
    return type("Counting", (handler,), {"__init__": initialise, "__call__": call})
