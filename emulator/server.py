"""The HTTP server in front of the CDN and of every front door: bytes in, bytes out, nothing tidied on the way."""

from __future__ import annotations

import asyncio
import socket

from .connection import Connection, Handler
from .ports import port_of

__all__ = ["Handler", "Server"]

_LAST_ANSWERS = 0.2
"""Seconds for what is being answered when the server stops."""


class Server:
    """Serves ``handler`` on the listening socket ``sock`` from `start` to `stop`."""

    def __init__(self, handler: Handler, sock: socket.socket) -> None:
        self._handler = handler
        self._sock = sock
        self._port = port_of(sock)
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, sock=self._sock)

    async def stop(self) -> None:
        """Stops listening, and ends what is still open after a moment."""
        if self._server is None:
            self._sock.close()
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.finish()
        tasks = [connection.task for connection in self._connections if connection.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_ANSWERS)
        for connection in tuple(self._connections):
            connection.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _connect(self) -> Connection:
        return Connection(self._handler, self._port, self._connections)
