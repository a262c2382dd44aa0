"""``django-faas emulate``: the options, and what happens between the first line printed and Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .exceptions import EmulatorError

FRONT_DOORS = ("http_api", "function_url", "rest_api", "alb", "alb_multi_value")


class _FrontDoor(click.ParamType[str]):
    """A front door's name; ``rest-api`` does for ``rest_api``."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = str(value).replace("-", "_").lower()
        if name not in FRONT_DOORS:
            self.fail(f"{value!r} is none of: {', '.join(FRONT_DOORS)}.", param, ctx)
        return name


@click.command(
    short_help="Run this Django project as the cloud would.",
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option(
    "--front-door",
    "front_doors",
    multiple=True,
    default=("http_api",),
    type=_FrontDoor(),
    metavar="NAME",
    help=f"Serve through this front door; may be given several times. One of: {', '.join(FRONT_DOORS)}.",
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
@click.option("--interface", default="wsgi", type=click.Choice(["wsgi", "asgi"]), help="How Django is called.")
@click.option(
    "--runtime",
    default="own",
    type=click.Choice(["own", "awslambdaric"]),
    help="What runs the handler: our own loop, or the client in AWS's Python runtimes.",
)
@click.option(
    "--concurrency", default=4, type=click.IntRange(1, 100), metavar="N", help="Processes of the function at most."
)
@click.option(
    "--timeout",
    default=28.0,
    type=click.FloatRange(0.1, 900),
    metavar="SECONDS",
    help="The function's own time limit.",
)
@click.option(
    "--invoke-mode",
    default="buffered",
    type=click.Choice(["buffered", "response_stream"]),
    help="Whether function_url and rest_api wait for whole answers, or pass them on while they are made.",
)
@click.option("--freeze/--no-freeze", default=True, help="Stop the function's processes between requests.")
@click.option("--endpoint-url", metavar="URL", help="Use this S3 service.  [default: moto, started for the purpose]")
@click.option("--bucket", default="django-faas", metavar="NAME", help="The bucket for static files and uploads.")
@click.option("--reload/--no-reload", default=True, help="Take over changes to the project's files.")
def emulate(**chosen: Any) -> None:
    """Run the Django project in this folder as the cloud would: front doors, functions, a bucket, a CDN."""
    import asyncio

    try:
        from .emulation import Options
    except ImportError as error:
        raise click.ClickException(
            f"The emulator needs {error.name}, which comes with the extra: pip install 'django-faas[emulator]'"
        ) from None
    try:
        asyncio.run(_serve(Path.cwd(), Options(**chosen)))
    except EmulatorError as error:
        raise click.ClickException(str(error)) from None


async def _serve(folder: Path, options: Any) -> None:
    """Serves until the terminal says to stop, at whatever point of the start or after."""
    import asyncio
    import signal

    from .emulation import Emulation
    from .log import Log

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
        async with Emulation(folder, options, Log()):
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not asked:
            raise
