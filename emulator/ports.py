"""Listening sockets, and who already holds a port."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path

from .exceptions import EmulatorError, PortInUse

_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp: https://docs.kernel.org/networking/proc_net_tcp.html


def listen(host: str, port: int, purpose: str, backlog: int = 1024) -> socket.socket:
    """A listening TCP socket on ``host``:``port`` (0: any free port); ``purpose`` is named where it can't be had.

    Raises `PortInUse` where another program listens there, `EmulatorError` where the address can't be used at all.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise EmulatorError(f"--host {host}: {error.strerror}; 127.0.0.1 serves this machine alone.") from error
    server = socket.socket(family, kind, protocol)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(backlog)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            holder = _holder(port)
            by = f" by {holder}" if holder else " by another program"
            raise PortInUse(
                f"Port {port}, wanted for {purpose}, is in use{by}. Stop that program, or choose other ports: "
                f"--port {port + 100 if port < 65000 else 8000}"
            ) from None
        if error.errno == errno.EACCES:
            raise EmulatorError(
                f"Port {port}, wanted for {purpose}, may not be used by this user; choose one above 1023: --port 8000"
            ) from None
        raise EmulatorError(f"{host}:{port}, wanted for {purpose}, can't be listened on: {error.strerror}.") from None
    server.setblocking(False)
    return server


def port_of(server: socket.socket) -> int:
    """The port ``server`` listens on."""
    return int(server.getsockname()[1])


def _holder(port: int) -> str | None:
    """The program that listens on ``port`` ("python3, process 4711") where the system lets us see it."""
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()}, process {process.name}"
    return None
