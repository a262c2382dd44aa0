"""The environment of everything that runs the project's code: functions, the probe, the static sync."""

from __future__ import annotations

import dataclasses
import os
import site
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .blueprint import Blueprint, Function
from .exceptions import EmulatorError
from .function.spec import lambda_variables
from .options import Options
from .project import Project

if TYPE_CHECKING:
    from static_sync.stores.s3.credentials import Identity

    from .package import Package

SECRETS_PATH = "FAAS_SECRETS_PATH"
_REGION = "us-east-1"


def region_of(options: Options) -> str:
    """The region that functions are told of."""
    if options.endpoint_url is None:
        return _REGION
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _REGION


def of_all(folder: Path, options: Options, bucket_url: str, url: str) -> dict[str, str]:
    """What every process starts with."""
    if options.endpoint_url is None:
        # What the user has for the real AWS must not reach it from here, nor mislead boto3 about the emulated one.
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own |= {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}
        own["AWS_ENDPOINT_URL_SQS"] = bucket_url
    else:
        own = dict(os.environ)
    region = region_of(options)
    return {
        **own,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL_S3": bucket_url,
        "AWS_ENDPOINT_URL_CLOUDFRONT": f"{url}/.faas/cloudfront",
        "FAAS_MEDIA_BUCKET": options.bucket,
        "FAAS_INTERFACE": options.interface or own.get("FAAS_INTERFACE") or "wsgi",
        "PYTHONPATH": import_path(folder),
    }


def of_function(function: Function, blueprint: Blueprint, options: Options) -> dict[str, str]:
    """What a function has besides: what its template says, save where the user's own environment says otherwise."""
    streams = any(door.streaming for door in blueprint.doors if door.function == function.name)
    kept = {
        name: value
        for name, value in function.variables.items()
        if name not in os.environ
        and not name.startswith("AWS_")
        and name != "FAAS_MEDIA_BUCKET"
        and not (name == "FAAS_INTERFACE" and options.interface)
        and not (name == SECRETS_PATH and options.endpoint_url is None)  # nobody here answers for SSM
    }
    return {**kept, "FAAS_INVOKE_MODE": "response_stream" if streams else "buffered"}


def told(function: Function, own: Mapping[str, str]) -> Function:
    """The function as it is started: with `of_function`'s variables."""
    return dataclasses.replace(function, variables=own)


def of_lambda(folder: Path, common: Mapping[str, str]) -> dict[str, str]:
    """``common`` with what the service itself sets for every function."""
    return {**common, **lambda_variables(folder, common["AWS_REGION"])}


def of_package(common: Mapping[str, str], package: Package, folder: Path) -> dict[str, str]:
    """`of_lambda`'s, for a package's code in ``folder``: its Python finds nothing else, and writes nothing there."""
    kept = {name: value for name, value in common.items() if not name.startswith("PYTHON")}
    return {
        **kept,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{package.version}",
        "DJANGO_SETTINGS_MODULE": package.settings,
        "LAMBDA_TASK_ROOT": str(folder),
        "PYTHONPATH": str(folder),
        # Whoever is root may write where nobody may.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def with_project(common: Mapping[str, str], project: Project) -> dict[str, str]:
    """With what ``manage.py`` and the settings have added."""
    path = os.pathsep.join([common["PYTHONPATH"], *project.paths])
    return {**common, **project.variables, "DJANGO_SETTINGS_MODULE": project.settings, "PYTHONPATH": path}


def origin_secret(common: Mapping[str, str]) -> str:
    """The newest secret by which the project knows its CDN; empty where it asks for none."""
    return common.get("FAAS_ORIGIN_SECRET", "").partition(",")[0].strip()


def queue_service(options: Options, bucket_url: str, region: str) -> tuple[str, Identity]:
    """Where queues are, and who asks there; raises `EmulatorError` where that is not known."""
    if options.endpoint_url is None:
        from .triggers import emulated_identity

        return bucket_url, emulated_identity(region)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_SQS")
    if not endpoint:
        raise EmulatorError(
            "With --endpoint-url the queues have to be somewhere, too: set AWS_ENDPOINT_URL_SQS to where SQS answers, "
            "or leave --endpoint-url out."
        )
    from static_sync.stores.s3.credentials import find_identity

    return endpoint, find_identity(region, custom_endpoint=True)


def import_path(folder: Path) -> str:
    """The project, what the user's PYTHONPATH holds, and this distribution where it runs from a checkout."""
    parts = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    root = Path(__file__).parents[1]
    if str(root) not in {*site.getsitepackages(), site.getusersitepackages()}:
        parts.append(str(root))
    return os.pathsep.join(parts)
