"""A deploy: what is checked, in which order things change, and the way back when one of them fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .. import build
from ..artifacts import Release
from ..build.sizes import shown
from ..exceptions import AwsError, DeployError, InfraError, StackFailed
from ..stacks import Event, Proposal, Stack, check_idle
from ..steps import Step, Steps
from . import changes, checks, migration, parameters, smoke, static, template, traffic
from .failure import Course
from .target import Target

if TYPE_CHECKING:
    from ..build import Package

# A first deploy that failed leaves a stack that can be nothing but deleted:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
_STILLBORN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
_ALIAS = "AWS::Lambda::Alias"
_GOES_ON = (
    "CloudFormation goes on by itself with what it has begun. Once django-faas status shows that it is done, run "
    "django-faas deploy again: the static files and the smoke test are still to come."
)


def deploy(
    target: Target, steps: Steps, *, output: Path, builds: bool, dry_run: bool, confirm: Callable[[], bool]
) -> str | None:
    """Bring the project to its stage: the site's URL, None if it was not confirmed or in a dry run.

    ``output`` is the package's folder, ``builds`` whether it is built first. Whatever fails leaves the version that
    served before serving. Raises `DeployError`.
    """
    return _Deploy(target, steps, output).run(builds=builds, dry_run=dry_run, confirm=confirm)


class _Deploy:
    def __init__(self, target: Target, steps: Steps, output: Path) -> None:
        self._target = target
        self._course = Course(steps, "Nothing was changed.")
        self._steps = steps
        self._output = output
        self._before: dict[str, str] = {}
        """The versions that served when it began, by function."""
        self._releases: list[Release] = []
        """What has served this stack, if it was deployed."""

    def run(self, *, builds: bool, dry_run: bool, confirm: Callable[[], bool]) -> str | None:
        target, course = self._target, self._course
        current = self._check()
        package = self._package(builds=builds)
        if not dry_run:
            with course.step("upload") as step:
                made = target.artifacts.prepare()
                _, sent = target.artifacts.upload(package.zip.path, package.zip.sha256)
                place = f"the bucket {target.artifacts.bucket}{', which was made' if made else ''}"
                step.says(f"{shown(package.zip.size)} to {place}" if sent else f"is in {place} already")
            current = self._make_ready(current)
        elif current and current.status in _STILLBORN:
            self._steps.note(f"The stack is in {current.status}: a deploy deletes it, and makes everything anew.")
            return None
        proposal = self._propose(package, current)
        if not self._is_wanted(proposal, (lambda: False) if dry_run else confirm) or dry_run:
            return None
        if package.static and package.static.manifest and current:
            with course.step("assets") as step:
                report = static.push(target, current, package.static, only_hashed=True)
                step.says(f"{len(report.outcome.done)} new, {report.plan.unchanged} there already")
        stack = self._change(proposal)
        return self._finish(stack, package)

    def _check(self) -> Stack | None:
        """What has to be right before anything changes; the stack as it is, None for a first deploy."""
        target = self._target
        with self._course.step("checks") as step:
            self._template = template.read(target.configuration)
            parameters.check_names(self._template, target.stage)
            parameters.check_pairs(self._template, target.stage)
            stack = target.stacks.find(target.name)
            self._secrets = parameters.read_secrets(target.clients, target.stage)
            place = f"account {target.account}, {target.clients.region}, stack {target.name}"
            if stack is None or stack.status in ("REVIEW_IN_PROGRESS", *_STILLBORN):
                self._course.serves = "Nothing is deployed yet."
                step.says(f"{place}: a first deploy")
            else:
                check_idle(stack)
                self._before = traffic.serving(target)
                self._releases = target.artifacts.releases()
                self._course.serves = f"{self._version(stack, self._before)} serves, as before."
                step.says(f"{place}: {self._version(stack, self._before)} serves")
        with self._course.step("settings") as step:
            settings = target.stage.parameters.get("SettingsModule") or target.configuration.settings
            given = checks.variables(self._template, target.stage, target.stage.parameters, target.clients.region)
            for line in checks.check(target.configuration.folder, settings, given, self._secrets):
                step.tell(line)
            step.says("manage.py check --deploy finds no error")
        return stack

    def _package(self, *, builds: bool) -> Package:
        with self._course.explaining("build"):
            if builds:
                return build.build(self._target.configuration, self._steps, output=self._output)
            return build.Package.read(self._output)

    def _make_ready(self, stack: Stack | None) -> Stack | None:
        """Have the stack in a state that it can be changed from; None where it is to be created."""
        target, course = self._target, self._course
        if stack is None or stack.status == "REVIEW_IN_PROGRESS":
            return None
        if stack.status in _STILLBORN:
            with course.step("clean-up") as step:
                target.stacks.delete(target.name, lambda event: step.progress(str(event)))
                step.says("the stack of a first deploy that failed is deleted")
            return None
        with course.step("versions") as step:
            told = traffic.align(target)
            step.says("the stack is told which versions serve" if told else "serve as the stack knows")
        return stack

    def _propose(self, package: Package, current: Stack | None) -> Proposal | None:
        target = self._target
        creates = current is None or current.status in ("REVIEW_IN_PROGRESS", *_STILLBORN)
        known = None if creates else current
        with self._course.step("changes") as step:
            values = parameters.decide(self._template, target.stage, package, self._secrets, known)
            text = self._template.with_code(target.artifacts.address(package.zip.sha256), target.stage.variables)
            proposal = target.stacks.propose(target.name, target.artifacts.template(text), values, creates=creates)
            step.says(changes.summary(proposal.changes) if proposal else "none: the stack is as it should be")
        if proposal:
            differing = parameters.differences(self._template, values, known) if known else []
            changes.show(self._steps, proposal.changes, differing)
        return proposal

    def _is_wanted(self, proposal: Proposal | None, confirm: Callable[[], bool]) -> bool:
        if proposal is None:
            return True
        wanted = False
        try:
            wanted = confirm()
        finally:
            if not wanted:
                self._target.stacks.discard(proposal)
        return wanted

    def _change(self, proposal: Proposal | None) -> Stack:
        """Carry the changes out, which includes the migrations and the traffic."""
        target = self._target
        if proposal is None:
            return target.stacks.describe(target.name)
        with self._course.step("stack") as step:
            if proposal.creates:
                target.artifacts.forget()  # versions of an earlier stack of this name, whose numbers begin anew
            since = int(time.time() * 1000)
            try:
                stack = target.stacks.execute(proposal, lambda event: _told(step, event))
            except StackFailed as error:
                raise self._with_log(error, since) from error
            except AwsError:
                self._course.serves = _GOES_ON
                raise
            except KeyboardInterrupt:
                self._steps.note(_GOES_ON)
                raise
            step.says(stack.status)
        return stack

    def _with_log(self, error: StackFailed, since: int) -> DeployError:
        """The error, with what the migrations logged if it was at the switch from one version to the other."""
        stack = self._target.stacks.find(self._target.name)
        name = stack.outputs.get("MigrateFunction") if stack else None
        if error.type != _ALIAS or name is None:
            return error
        lines = migration.log_of(self._target.clients, name, since)
        if not lines:
            return error
        return DeployError(f"{error}\nThe log of {name}, which runs the migrations:\n" + "\n".join(lines))

    def _finish(self, stack: Stack, package: Package) -> str:
        """What follows once the new version serves."""
        target, course = self._target, self._course
        with course.explaining("versions"):
            site, now = stack.output("SiteUrl"), traffic.serving(target)
        version = self._version(stack, now)
        course.serves = f"{version} serves."
        if not self._releases:
            with course.step("migrations") as step:
                step.says(migration.run(target.clients, stack.output("ConsoleFunction")))
        course.back = lambda: self._back(stack, now)
        number = None
        if package.static:
            with course.step("static") as step:
                report = static.push(target, stack, package.static, only_hashed=False)
                number = static.release_number(report)
                told = "; the CDN forgets what has changed" if report.invalidation else ""
                step.says(f"{len(report.outcome.done)} new, {report.plan.unchanged} there already{told}")
        with course.step("smoke test") as step:
            visitor = smoke.Visitor(site, stack.outputs.get("DistributionDomain"))
            page = smoke.page(visitor, stack.parameters.get("SmokePath") or "/")
            asset = smoke.asset(visitor, package.static) if package.static else None
            step.says(f"{page}; {asset} is there" if asset else page)
        course.back = None
        release = Release(datetime.now(UTC), now[stack.output("WebFunction")], now, number)
        last = self._releases[-1] if self._releases else None
        if last is None or (last.versions, last.static) != (release.versions, release.static):
            with course.explaining("record"):
                target.artifacts.record(release)
        if package.static:
            with course.step("retirement") as step:
                step.says(static.retire(target, stack))
        self._steps.line("deployed", f"{version} serves", "green")
        return site

    def _back(self, stack: Stack, now: Mapping[str, str]) -> str:
        """Send the traffic to the versions from before, if there are any; what serves then."""
        before = {name: version for name, version in self._before.items() if now.get(name, version) != version}
        if not before:
            return self._course.serves
        try:
            with self._steps.step("way back") as step:
                traffic.shift(self._target.clients, before)
                step.says(f"{self._version(stack, self._before)} gets the traffic")
        except InfraError as failure:
            return f"{self._course.serves} The way back failed, too: {failure}"
        try:
            traffic.align(self._target)
        except InfraError as failure:
            self._steps.note(f"The stack could not be told of it, which the next deploy makes up for: {failure}")
        return f"{self._version(stack, self._before)} serves again."

    def _version(self, stack: Stack, versions: Mapping[str, str]) -> str:
        return f"Version {versions.get(stack.output('WebFunction'), '?')}"


def _told(step: Step, event: Event) -> None:
    """Shows what happens; what fails stays on the screen, as the way back may take minutes."""
    if event.status.endswith("_FAILED"):
        step.tell(str(event))
    else:
        step.progress(str(event))
