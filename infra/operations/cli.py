"""``django-faas status``, ``open``, ``manage``, ``invoke``, ``logs`` and ``env``: for a site that has been deployed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

import click

from ..options import stage as stage_option
from ..site import FUNCTIONS

if TYPE_CHECKING:
    from .logs import Line

_HELP = {"help_option_names": ["-h", "--help"]}
_KINDS = click.Choice(list(FUNCTIONS))
_EFFECT = "The site knows from the next deploy on (django-faas deploy); a process that starts before may know, too."
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class _Moment(click.ParamType[datetime]):
    """``10m`` ago, or a time as RFC 3339 has it; without a zone, this machine's."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            if match := re.fullmatch(r"(\d+)([smhd])", str(value)):
                return datetime.now().astimezone() - timedelta(**{_UNITS[match[2]]: int(match[1])})
            return datetime.fromisoformat(str(value)).astimezone()
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a span, as 30s, 10m, 2h and 1d are, nor a time, as 2026-11-22T17:43 is.",
                param,
                ctx,
            )


@click.command(short_help="What is deployed, and how it is.", context_settings=_HELP)
@stage_option
def status(stage: str) -> None:
    """What serves, what a rollback would go to, what waits in the queue, and which alarms have gone off."""
    from ..site import opened
    from .status import rows

    with opened(stage) as site:
        for row in rows(site):
            _echo(f"{click.style(f'{row.title:<11}', bold=True)}{click.style(row.text, fg=row.colour)}")


@click.command("open", short_help="Open the site in a browser.", context_settings=_HELP)
@stage_option
def open_site(stage: str) -> None:
    """Print the site's address, and open it in a browser where this is a terminal."""
    import webbrowser

    from ..site import opened

    with opened(stage) as site:
        url = site.stack.output("SiteUrl")
    click.echo(url)
    if sys.stdout.isatty():
        webbrowser.open(url)


@click.command(
    short_help="Run a management command on the function.",
    # All that comes after the command's name is its own.
    context_settings={**_HELP, "allow_interspersed_args": False},
)
@stage_option
@click.option(
    "--environment",
    "names",
    multiple=True,
    metavar="NAME",
    help="Hand this variable of the terminal on to the command; it is stored nowhere. May be given several times.",
)
@click.argument("command", metavar="COMMAND [ARGS]...")
@click.argument("arguments", nargs=-1, metavar="", type=click.UNPROCESSED)
def manage(stage: str, names: tuple[str, ...], command: str, arguments: tuple[str, ...]) -> None:
    """Run manage.py COMMAND on the console function, print what it prints, and exit with its exit code.

    Options of this command come before COMMAND; what follows goes to COMMAND as it is. It has 15 minutes, and no
    terminal to ask anything: --noinput.
    """
    from ..site import opened
    from ..steps import Steps
    from . import management

    with opened(stage) as site:
        environment = management.taken_along(names)
        function = site.function("console")
        with _unless_interrupted(), Steps().step("manage") as step:
            outcome = management.run(site.clients, function, [command, *arguments], environment)
            step.says(f"{command} exits with {outcome.exit}")
    click.echo(outcome.output, nl=False)
    sys.exit(outcome.exit)


@click.command(short_help="Call a function with an event, or for a page.", context_settings=_HELP)
@stage_option
@click.option("--function", "kind", default="web", type=_KINDS, show_default=True, help="The function to call.")
@click.option("--event", type=click.File("rb"), metavar="FILE", help="Send the JSON in this file; - is stdin.")
@click.option("--path", metavar="PATH", help="Ask for this page, with its query.  [default: / without --event]")
def invoke(stage: str, kind: str, event: IO[bytes] | None, path: str | None) -> None:
    """Call a function past the CDN and the front door, and print its answer.

    With --path the page's body goes to stdout, its status and headers to stderr; the exit code is 1 from status 400 on.
    """
    from ..site import opened
    from . import calling, pages

    if event is not None and path is not None:
        raise click.UsageError("--event and --path are two ways to say what to send; choose one.")
    payload = _json(event) if event is not None else b""
    with opened(stage) as site, _unless_interrupted():
        function = site.function(kind)
        if event is not None:
            click.echo(calling.call(site.clients, function, payload))
            return
        page = pages.get(site.clients, function, site.stack.output("SiteUrl"), path or "/")
    for line in (str(page.status), *(f"{name}: {value}" for name, value in page.headers), ""):
        click.echo(line, err=True)
    click.echo(page.body, nl=False)
    sys.exit(page.status >= 400)


@click.command(short_help="Show the functions' logs.", context_settings=_HELP)
@stage_option
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--request", metavar="ID", help="All about one request: its id, or how that begins.")
@click.option(
    "--since", type=_Moment(), metavar="TIME", help="30s, 10m, 2h, 1d, or a time.  [default: 10m; 1d with --request]"
)
@click.option(
    "--function", "kinds", multiple=True, type=_KINDS, help="This function alone; may be given several times."
)
@click.option("--errors", "only_errors", is_flag=True, help="Errors alone, and what timed out.")
def logs(
    stage: str, follow: bool, request: str | None, since: datetime | None, kinds: tuple[str, ...], only_errors: bool
) -> None:
    """Show what the functions have logged: a line for each record, tracebacks below.

    Lambda's lines about the begin and the end of an invocation are left out; what it reports of each is there.
    """
    from contextlib import suppress

    from ..site import opened
    from .log_entries import ERROR_PATTERN
    from .logs import Logs, errors
    from .rendering import rendered

    if request is not None and not re.fullmatch(r"[0-9A-Za-z-]{4,}", request):
        raise click.BadParameter(
            f"{request!r} is no request id; one looks like 8476a536-e9f4-11e8-9739-2dfe598c3fcd, and its first four "
            "characters are enough.", param_hint="--request"
        )  # fmt: skip
    if request is not None and follow:
        raise click.UsageError("--request shows one request, --follow what comes; choose one.")
    start = since or datetime.now().astimezone() - (timedelta(days=1) if request else timedelta(minutes=10))
    milliseconds = int(start.timestamp() * 1000)
    with opened(stage) as site, suppress(KeyboardInterrupt):
        chosen = {kind: site.function(kind) for kind in kinds} or site.functions()
        found = Logs(site.clients, chosen)
        pattern = ERROR_PATTERN if only_errors else ""
        lines: Iterable[Line]
        if request is not None:
            lines = found.of_request(request, milliseconds)
        elif follow:
            lines = found.follow(milliseconds, pattern)
        else:
            lines = found.read(milliseconds, pattern)
        for text in rendered(errors(lines) if only_errors else lines, max(map(len, chosen), default=0)):
            _echo(text)


@click.group(short_help="The variables that only the functions see.", context_settings=_HELP)
def env() -> None:
    """Variables of the functions' environment that nobody else may read: database URLs, keys, passwords.

    They are encrypted in the Parameter Store of AWS. Those that may be read belong into faas.toml, below
    [stages.NAME.variables].
    """


@env.command("set")
@stage_option
@click.argument("assignments", nargs=-1, required=True, metavar="NAME[=VALUE]...")
def set_variables(stage: str, assignments: tuple[str, ...]) -> None:
    """Set variables; for a NAME without a VALUE it is asked, or read from stdin.

    What is given as NAME=VALUE is in the shell's history, and others on this machine can see it in the list of
    processes while the command runs.
    """
    from ..site import opened
    from ..variables import Variables, check

    given = dict(_assignment(text) for text in assignments)
    unsaid = [name for name, value in given.items() if value is None]
    if len(unsaid) > 1 and not sys.stdin.isatty():
        raise click.UsageError(f"stdin has one value, but {', '.join(unsaid)} have none; set them one by one.")
    with opened(stage) as site:
        kept = Variables(site)
        for name, value in given.items():
            check(name, value)
        kept.check_free(given)
        for name, value in given.items():
            kept.set(name, _asked(name) if value is None else value)
            click.echo(f"{name} is set for the stage {stage}.", err=True)
    click.echo(_EFFECT, err=True)


@env.command("get")
@stage_option
@click.argument("name")
def get_variable(stage: str, name: str) -> None:
    """Print the value of a variable."""
    from ..site import opened
    from ..variables import Variables

    with opened(stage) as site:
        click.echo(Variables(site).get(name))


@env.command("list")
@stage_option
@click.option("--values", is_flag=True, help="Print the values, too, as a shell reads them.")
def list_variables(stage: str, values: bool) -> None:
    """List the variables by their names."""
    import shlex

    from ..site import opened
    from ..variables import Variables

    with opened(stage) as site:
        kept = Variables(site)
        for name, value in kept.all(decrypted=values).items():
            click.echo(f"{name}={shlex.quote(value)}" if values else name)


@env.command("unset")
@stage_option
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def unset_variables(stage: str, names: tuple[str, ...]) -> None:
    """Take variables away."""
    from ..site import opened
    from ..variables import Variables

    with opened(stage) as site:
        Variables(site).unset(names)
    click.echo(_EFFECT, err=True)


def _echo(text: str) -> None:
    """A line on stdout; coloured on a terminal unless ``NO_COLOR`` is set: https://no-color.org"""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)


def _json(file: IO[bytes]) -> bytes:
    """What ``file`` has, if that is JSON."""
    import json

    content = file.read()
    try:
        json.loads(content)
    except ValueError as error:
        raise click.BadParameter(f"it is no JSON: {error}.", param_hint="--event") from None
    return content


class _Interrupted(click.ClickException):
    exit_code = 130  # as a shell counts Ctrl-C


@contextmanager
def _unless_interrupted() -> Iterator[None]:
    """Ctrl-C ends the wait, and nothing else: says so."""
    try:
        yield
    except KeyboardInterrupt:
        raise _Interrupted(
            "Interrupted. What the function was asked to do goes on; see how it ends: django-faas logs --follow"
        ) from None


def _assignment(text: str) -> tuple[str, str | None]:
    """Name and value; None where there is a name alone."""
    name, sign, value = text.partition("=")
    return name, value if sign else None


def _asked(name: str) -> str:
    """The value of ``name``: typed unseen, or all of stdin without the end of its last line."""
    if sys.stdin.isatty():
        return str(click.prompt(name, hide_input=True))
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")
