"""Runs `sync` for a command: writes what a person or a program wants to read and gives the exit code."""

from __future__ import annotations

from typing import Any, Protocol

from static_sync.exceptions import StaticSyncError, UploadsFailedError, UsageError

DONE, FAILED, MISUSED = 0, 1, 2
_INTERRUPTED = "Interrupted. Every file that has arrived is whole; run again for the others."


class Writer(Protocol):
    """A text stream, or the wrapper that Django's commands have for one."""

    def write(self, text: str, /) -> object: ...


def run(destination: str, *, as_json: bool, stdout: Writer, stderr: Writer, **given: Any) -> int:
    """Call `sync` with the options ``given``, those that are None left to its defaults; returns the exit code."""
    from static_sync.job import sync

    parameters = {name: value for name, value in given.items() if value is not None}
    try:
        report = sync(destination, **parameters)
    except UploadsFailedError as error:
        stdout.write(_json(error.report.as_dict()) if as_json else _text(error.report.lines()))
        stderr.write(f"Error: {error}\n")
        return FAILED
    except StaticSyncError as error:
        if as_json:
            stdout.write(_json({"ok": False, "error": {"kind": type(error).__name__, "message": str(error)}}))
        stderr.write(f"Error: {error}\n")
        return MISUSED if isinstance(error, UsageError) else FAILED
    except KeyboardInterrupt:
        if as_json:
            stdout.write(_json({"ok": False, "error": {"kind": "KeyboardInterrupt", "message": _INTERRUPTED}}))
        stderr.write(f"{_INTERRUPTED}\n")
        return FAILED
    stdout.write(_json(report.as_dict()) if as_json else _text(report.lines()))
    return DONE


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _json(value: dict[str, object]) -> str:
    import json

    return json.dumps(value, indent=2) + "\n"
