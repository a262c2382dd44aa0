"""What every environment of a function is started with: its command, its variables, its limits."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..blueprint import HANDLER, Function
from ..exceptions import EmulatorError

INIT_LIMIT = 10.0
"""Seconds AWS gives INIT before it stops it and runs it again as part of the first invocation."""
_SNAPSTART_INIT_LIMIT = 130.0  # or the function's own limit, whichever is longer
_NO_LIMIT = 24 * 3600.0
_ACCOUNT, _NAME = "123456789012", "django-faas"


@dataclass(frozen=True)
class FunctionSpec:
    """What every environment of the function is started with; times in seconds, memory in MB.

    ``concurrency`` is reserved for the function, if not None.
    """

    folder: Path
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    """The process's whole environment, save what differs from one process to the next."""
    timeout: float = 28.0
    freeze: bool = True
    """Processes are stopped while there is no event for them, as the cloud does it."""
    name: str = _NAME
    memory: int = 1024
    concurrency: int | None = None
    init_limit: float = INIT_LIMIT
    enforce_memory: bool = False
    """A process that takes more than ``memory`` is killed."""
    debug: bool = False
    """One environment, which has the terminal; requests wait for it, however long that takes."""

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{_ACCOUNT}:function:{self.name}"

    @property
    def region(self) -> str:
        return self.variables.get("AWS_REGION", "us-east-1")


def specify(
    function: Function,
    folder: Path,
    variables: Mapping[str, str],
    *,
    python: Sequence[str] = (sys.executable,),
    runtime: str = "own",
    freeze: bool = True,
    enforce_memory: bool = False,
    debug: bool = False,
    debug_port: int | None = None,
) -> FunctionSpec:
    """The spec of a blueprint's function; ``variables`` are what all functions have, `lambda_variables` among them.

    ``python`` is how the command line begins. With ``debug`` time does not count: no limit ends what stands at a
    breakpoint. With a ``debug_port`` debugpy listens there. Raises `EmulatorError` where the runtime or the debugger is
    not installed.
    """
    debug = debug or debug_port is not None
    init_limit = max(_SNAPSTART_INIT_LIMIT, function.timeout) if function.snapstart else INIT_LIMIT
    return FunctionSpec(
        folder,
        command_for(runtime, function.handler, debug_port, python),
        {
            **variables,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if function.snapstart else "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "_HANDLER": function.handler,
            **function.variables,
        },
        timeout=_NO_LIMIT if debug else function.timeout,
        freeze=freeze and not debug,
        name=function.name,
        memory=function.memory,
        concurrency=function.concurrency,
        init_limit=_NO_LIMIT if debug else init_limit,
        enforce_memory=enforce_memory,
        debug=debug,
    )


def command_for(
    runtime: str, handler: str = HANDLER, debug_port: int | None = None, python: Sequence[str] = (sys.executable,)
) -> tuple[str, ...]:
    """The command line of a runtime: ``own`` (ours) or ``awslambdaric`` (AWS's); ``python`` is how it begins.

    Raises `EmulatorError` where it, or the debugger, is not installed.
    """
    if runtime == "awslambdaric" and importlib.util.find_spec("awslambdaric") is None:
        raise EmulatorError(
            "--runtime awslambdaric needs AWS's runtime client: pip install awslambdaric (not on Windows)"
        )
    if debug_port is not None and importlib.util.find_spec("debugpy") is None:
        raise EmulatorError("To debug from an editor, this project's environment needs debugpy: pip install debugpy")
    debugger = () if debug_port is None else ("-m", "debugpy", "--listen", f"127.0.0.1:{debug_port}")
    module = ("-m", "adapter.runtime") if runtime == "own" else ("-m", "awslambdaric", handler)
    return (*python, *debugger, *module)


def lambda_variables(folder: Path, region: str, memory: int = 1024) -> dict[str, str]:
    """The variables the service sets for a function, save the address of its Runtime API.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    python = f"python{sys.version_info.major}.{max(sys.version_info.minor, 12)}"
    return {
        # AWS's client writes non-ASCII text as it is from 3.12 on, and as \u escapes (twice the bytes) before.
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{python}",
        "AWS_LAMBDA_FUNCTION_NAME": _NAME,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{_NAME}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "_HANDLER": HANDLER,
        "LAMBDA_TASK_ROOT": str(folder),
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "LC_CTYPE": "C.UTF-8",
        # The service's pipes are line-buffered; ours would hold a traceback back until the buffer is full.
        "PYTHONUNBUFFERED": "1",
    }
