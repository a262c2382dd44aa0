"""The way back to a release that has served before: its versions of all functions, and its static files."""

from __future__ import annotations

from datetime import UTC, datetime

from ..artifacts import Release, chosen
from ..exceptions import InfraError
from ..stacks import check_idle
from ..steps import Steps
from . import smoke, static, traffic
from .failure import Course
from .target import Target


def roll_back(target: Target, steps: Steps, *, to: str | None) -> Release:
    """Let the version ``to`` serve, by default the last one that served and was not gone back from.

    Traffic moves within seconds; migrations are not undone. Raises `DeployError`, and `ConfigurationError` where there
    is nothing to go back to.
    """
    stack = target.stacks.describe(target.name)
    check_idle(stack)
    web = stack.output("WebFunction")
    now = traffic.serving(target)
    course = Course(steps, f"Version {now[web]} serves, as before.")
    with course.step("release") as step:
        releases = target.artifacts.releases()
        release = chosen(releases, now[web], to)
        step.says(f"version {release.version}, which served from {release.at:%Y-%m-%d %H:%M} UTC on")
    if release.static is not None:
        with course.step("static") as step:
            static.make_current(target, stack, release.static)
            step.says(f"the files of release {release.static} are needed again")
    with course.step("traffic") as step:
        traffic.shift(target.clients, {name: version for name, version in release.versions.items() if name in now})
        step.says(f"goes to version {release.version}, in place of {now[web]}")
    course.serves = f"Version {release.version} serves."
    with course.step("record"):
        target.artifacts.record(
            Release(datetime.now(UTC), release.version, release.versions, release.static, withdrawn=now[web])
        )
    try:
        with steps.step("stack") as step:
            step.says("is told" if traffic.align(target) else "knows")
    except InfraError as failure:
        steps.note(f"The stack could not be told, which the next deploy makes up for: {failure}")
    with course.step("smoke test") as step:
        visitor = smoke.Visitor(stack.output("SiteUrl"), stack.outputs.get("DistributionDomain"))
        step.says(smoke.page(visitor, stack.parameters.get("SmokePath") or "/"))
    steps.note("The database stays as it is: what newer migrations have made is still there.")
    return release
