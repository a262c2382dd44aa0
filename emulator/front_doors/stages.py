"""Deployment stages of API Gateway: their names, and their place in front of a URL's path."""

from __future__ import annotations

import re

from ..exceptions import EmulatorError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


class InvalidStage(EmulatorError):
    """A stage's name that API Gateway would refuse; says which characters it takes."""


def checked(stage: str) -> str:
    """``stage`` itself where it is a name API Gateway takes; `InvalidStage` otherwise.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
    """
    if not _NAME.fullmatch(stage):
        raise InvalidStage(
            f"{stage!r} can't be a stage: API Gateway takes up to 128 letters, digits, hyphens and underscores, "
            "without slashes. Write it as in: live"
        )
    return stage


def without(path: str, stage: str) -> str | None:
    """``path`` behind ``/stage``, or None where the path is not in that stage."""
    prefix = f"/{stage}"
    if path == prefix:
        return ""
    return path[len(prefix) :] if path.startswith(prefix + "/") else None
