"""Runs a command: writes what a person or a program wants to read, and gives the exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from static_sync.exceptions import StaticSyncError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from static_sync.options import Command

DONE, FAILED, MISUSED, CHANGED = 0, 1, 2, 3
_INTERRUPTED = "Interrupted. Every object in the bucket is whole; run again for the rest."


class Writer(Protocol):
    """A text stream, or the wrapper that Django's commands have for one."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> None:
        """Send on what is held back."""

    def fileno(self) -> int:
        """The file it writes to."""


class Report(Protocol):
    """What each command's function returns."""

    @property
    def ok(self) -> bool:
        """Whether all is well."""

    @property
    def changed(self) -> bool:
        """Whether something was done, or with a dry run would be."""

    def lines(self) -> list[str]:
        """The report for a person."""

    def failure_lines(self) -> list[str]:
        """What is not well, and what to do about it."""

    def as_dict(self) -> dict[str, object]:
        """The report for a program, in plain JSON types."""


def run(command: Command, given: Mapping[str, Any], *, root: Path | None, stdout: Writer, stderr: Writer) -> int:
    """Call the function of ``command`` with what is ``given`` and configured; returns the exit code.

    ``root`` is the project's folder where that is known, else the current one is looked at.
    """
    as_json, quiet = bool(given.get("as_json")), bool(given.get("quiet"))
    try:
        report = _call(command, given, root)
    except (StaticSyncError, KeyboardInterrupt) as error:
        return fail(error, as_json=as_json, quiet=quiet, stdout=stdout, stderr=stderr)
    is_written = _written(_shown(report, as_json=as_json, quiet=quiet), stdout, stderr)
    if not report.ok:
        _written("Error: " + "\n".join(report.failure_lines()) + "\n", stderr, stderr)
    if not (is_written and report.ok):
        return FAILED
    return CHANGED if given.get("exit_code") and report.changed else DONE


def fail(error: BaseException, *, as_json: bool, stdout: Writer, stderr: Writer, quiet: bool = False) -> int:
    """Tell of an error in its own words, and of what was done in spite of it; returns the exit code."""
    message = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else str(error)
    report: Report | None = getattr(error, "report", None)
    if report:
        _written(_shown(report, as_json=as_json, quiet=quiet), stdout, stderr)
    elif as_json:
        failure = {"ok": False, "error": {"kind": type(error).__name__, "message": message}}
        _written(_json(failure), stdout, stderr)
    _written(f"{message}\n" if isinstance(error, KeyboardInterrupt) else f"Error: {message}\n", stderr, stderr)
    return MISUSED if isinstance(error, UsageError) else FAILED


def _call(command: Command, given: Mapping[str, Any], root: Path | None) -> Report:
    from importlib import import_module

    from static_sync.configuration import configure

    parameters = configure(command, given, os.environ, root or Path())
    options = {
        name: value for name, value in parameters.options.items() if name not in ("as_json", "quiet", "exit_code")
    }
    if command.of_project:
        options["project"] = root
    if command.name == "sync" and not (given.get("as_json") or given.get("quiet")):
        from static_sync.progress import Meter

        options["progress"] = Meter(sys.stderr)
    report: Report = getattr(import_module(command.module), command.name)(parameters.destination, **options)
    return report


def _shown(report: Report, *, as_json: bool, quiet: bool) -> str:
    if as_json:
        return _json(report.as_dict())
    return "" if quiet else "".join(f"{line}\n" for line in report.lines())


def _written(text: str, stream: Writer, stderr: Writer) -> bool:
    """Write all of ``text`` now; False, and the reason told, where that cannot be done."""
    if not text:
        return True
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:  # a name that the terminal has no characters for
            stream.write(text.encode("ascii", "backslashreplace").decode())
        stream.flush()
    except OSError as error:
        # Python would try to write the rest at its end, and complain.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        if isinstance(error, BrokenPipeError):
            return True  # whoever reads has seen enough, which takes nothing from what was done
        if stream is not stderr:
            _written(f"Error: the report could not be written: {error.strerror}.\n", stderr, stderr)
        return False
    return True


def _json(value: dict[str, object]) -> str:
    import json

    return json.dumps(value, indent=2) + "\n"
