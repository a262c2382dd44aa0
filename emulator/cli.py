"""``django-faas emulate``: the options, and what happens between the first line printed and Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .exceptions import EmulatorError

FRONT_DOORS = (
    *("http_api", "http_api_1", "function_url", "rest_api"),
    *("alb", "alb_multi_value", "vpc_lattice", "vpc_lattice_1"),
)


class _FrontDoor(click.ParamType[str]):
    """A front door's name; ``rest-api`` does for ``rest_api``."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = str(value).replace("-", "_").lower()
        if name not in FRONT_DOORS:
            self.fail(f"{value!r} is none of: {', '.join(FRONT_DOORS)}.", param, ctx)
        return name


class _Assignment(click.ParamType[tuple[str, str]]):
    """``Name=Value``."""

    name = "assignment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, sign, text = str(value).partition("=")
        if not sign or not name.strip():
            self.fail(f"{value!r} is no assignment; write Name=Value.", param, ctx)
        return name.strip(), text


@click.command(
    short_help="Run this Django project as the cloud would.",
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option(
    "--front-door",
    "front_doors",
    multiple=True,
    type=_FrontDoor(),
    metavar="NAME",
    help=f"Serve through this front door; may be given several times. One of: {', '.join(FRONT_DOORS)}.  "
    "[default: those of the template, else http_api]",
)
@click.option(
    "--template",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Take functions, front doors, CDN, queues, schedules and the bucket's notifications from this SAM template.",
)
@click.option(
    "--package",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="ZIP",
    help="Run this package, as `django-faas build` made it, and nothing else of this machine.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    type=_Assignment(),
    metavar="NAME=VALUE",
    help="A parameter of the template; may be given several times.",
)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Listen here; 0.0.0.0 for the whole network.")
@click.option(
    "--port",
    default=8000,
    type=click.IntRange(0, 65_500),
    metavar="N",
    help="The CDN's port; the front doors get the ports after it. 0: any free ones.",
)
@click.option("--stage", metavar="NAME", help="The API's stage; its name comes first in every path.  [default: none]")
@click.option(
    "--interface",
    type=click.Choice(["wsgi", "asgi"]),
    help="How Django is called.  [default: FAAS_INTERFACE of the environment or the template, else wsgi]",
)
@click.option(
    "--runtime",
    default="own",
    type=click.Choice(["own", "awslambdaric"]),
    help="What runs the handler: our own loop, or the client in AWS's Python runtimes.",
)
@click.option(
    "--concurrency",
    default=10,
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Requests at work at once in all functions, the account's limit; what goes beyond is throttled.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 900),
    metavar="SECONDS",
    help="The function's own time limit.  [default: the template's, else 28]",
)
@click.option(
    "--memory",
    type=click.IntRange(128, 10_240),
    metavar="MB",
    help="The function's memory, as it is told and as reports measure it.  [default: the template's, else 1024]",
)
@click.option("--memory-limit/--no-memory-limit", default=False, help="End a process that takes more than its memory.")
@click.option(
    "--idle",
    default=300.0,
    type=click.FloatRange(1),
    metavar="SECONDS",
    help="End a process that nobody has needed for so long.",
)
@click.option(
    "--invoke-mode",
    type=click.Choice(["buffered", "response_stream"]),
    help="Whether function_url and rest_api wait for whole answers, or pass them on while they are made.  "
    "[default: the template's, else buffered]",
)
@click.option("--freeze/--no-freeze", default=True, help="Stop the function's processes between requests.")
@click.option("--endpoint-url", metavar="URL", help="Use this S3 service.  [default: moto, started for the purpose]")
@click.option("--bucket", default="django-faas", metavar="NAME", help="The bucket for static files and uploads.")
@click.option("--reload/--no-reload", default=True, help="Take over changes to the project's files.")
@click.option(
    "--debug", is_flag=True, help="One process in the foreground without time limits: breakpoint() works in here."
)
@click.option(
    "--debugpy",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="One process without time limits, to which a debugger can attach on this port.",
)
@click.option("--json", is_flag=True, help="Tell everything in JSON, an object a line.")
def emulate(**chosen: Any) -> None:
    """Run the Django project in this folder as the cloud would: front doors, functions, a bucket, a CDN."""
    import asyncio

    try:
        from .emulation import Options
        from .event_loop import EventLoop
    except ImportError as error:
        raise click.ClickException(
            f"The emulator needs {error.name}, which comes with the extra: pip install 'django-faas[emulator]'"
        ) from None
    try:
        with asyncio.Runner(loop_factory=EventLoop) as runner:
            runner.run(_serve(Path.cwd(), Options(**chosen)))
    except EmulatorError as error:
        raise click.ClickException(str(error)) from None


async def _serve(folder: Path, options: Any) -> None:
    """Serves until the terminal says to stop, at whatever point of the start or after."""
    import asyncio
    import signal

    from .emulation import Emulation
    from .log import JsonLog, Log

    loop = asyncio.get_running_loop()
    serving = asyncio.current_task()
    asked = False

    def stop() -> None:
        nonlocal asked
        if serving is not None and not asked:
            asked = True
            serving.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        async with Emulation(folder, options, JsonLog() if options.json else Log()):
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not asked:
            raise
