"""``static-sync``, also ``python -m static_sync``.

The parser is the standard library's: this command starts often and mostly finds nothing to do, and click would add a
tenth and more to the processor time of such a run.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from static_sync import options, output
from static_sync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from static_sync.options import Command


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end the process with its exit code."""
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started us
        nowhere = open(os.open(os.devnull, os.O_WRONLY), "w", closefd=False)  # noqa: SIM115 - for the whole process
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    # What a run makes, Django's start above all, is of use until its end: looking for garbage finds next to none.
    gc.set_threshold(50_000, 20, 20)
    code = _run(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _leave(code)
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    command, rest = options.choose(arguments)
    try:
        given = _parse(command, rest)
    except UsageError as error:
        return output.fail(error, as_json="--json" in rest, stdout=sys.stdout, stderr=sys.stderr)
    return output.run(command, given, root=None, stdout=sys.stdout, stderr=sys.stderr)


def _leave(code: int) -> NoReturn:
    """End the process without taking it apart: with a Django project in it that takes a third of a second."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal, but no wider than what can be read; without ``shutil``, which costs start-up time."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 0
        super().__init__(prog, max_help_position=26, width=min(columns or 120, 120) - 2)


def _parse(command: Command, arguments: list[str]) -> dict[str, object]:
    parser = _Parser(
        prog=command.words,
        usage=f"{command.words} [s3://BUCKET/PREFIX] [options]",
        description=command.summary,
        epilog=options.epilog(command),
        formatter_class=_Formatter,
        allow_abbrev=False,
        add_help=False,
    )
    options.add_arguments(parser, command)
    given, extra = parser.parse_known_args(arguments)
    if extra:
        raise UsageError(_explain(extra[0], command, given.destination))
    return vars(given)


def _explain(word: str, command: Command, destination: str | None) -> str:
    """What is wrong with a word that the parser could make nothing of."""
    if destination in options.COMMANDS:
        return f"A command comes first: static-sync {destination} s3://BUCKET/PREFIX ..."
    if not word.startswith("-"):
        if destination and (meant := options.did_you_mean(destination, options.COMMANDS)):
            return f"There is no command {destination}{meant}"
        return f"One destination at a time: {destination} is one, {word} another."
    flag = word.partition("=")[0]
    of_others = [other for other in options.COMMANDS.values() if flag in (option.flag for option in other.options)]
    if of_others:
        return f"{flag} is no option of {command.words}, but of {' and '.join(other.words for other in of_others)}."
    meant = options.did_you_mean(flag, [option.flag for option in command.options])
    return f"There is no option {flag}{meant or '.'} See {command.words} --help."
