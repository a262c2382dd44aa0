"""How much memory a process and all it has started take, where the system shows it (Linux)."""

from __future__ import annotations

import contextlib
import os

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MEGABYTE = 1 << 20


def peak(pid: int) -> int | None:
    """MB that the processes took at most, each at its own worst moment; None where that is not known.

    https://docs.kernel.org/filesystems/proc.html (VmHWM)
    """
    total = 0
    for process in _family(pid):
        status = _read(f"/proc/{process}/status")
        at = status.find(b"VmHWM:")
        if at >= 0:
            total += int(status[at + 6 : status.index(b"kB", at)]) * 1024
    return -(-total // _MEGABYTE) or None


def resident(pid: int) -> int | None:
    """MB that the processes take now; None where that is not known."""
    total = 0
    for process in _family(pid):
        fields = _read(f"/proc/{process}/statm").split()
        if fields:
            total += int(fields[1]) * _PAGE
    return -(-total // _MEGABYTE) or None


def _family(pid: int) -> list[int]:
    """The process and its descendants; those that have cut themselves off by a double fork are not found."""
    found = [pid]
    for process in found:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{process}/task") as threads:
            for thread in threads:
                found += map(int, _read(f"{thread.path}/children").split())
    return found


def _read(path: str) -> bytes:
    """A file's contents, b"" when its process is gone; without the buffers of a file object, which cost more."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(file, 65536)
    except OSError:
        return b""
    finally:
        os.close(file)
