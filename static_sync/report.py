"""What a run did, for a person and for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from static_sync.cdn import Invalidation
    from static_sync.plan import Plan, Step
    from static_sync.transfer import Outcome

_SHOWN_FAILURES = 10


class SyncReport(NamedTuple):
    """One run of `sync`. ``collected`` is None with a source folder; ``seconds`` holds the time of each step taken.

    ``plan`` is the first plan made; where other runs have crossed this one, ``outcome`` has more steps than that.
    ``release`` is the key of the newest release record; ``cdn_error`` why the CDN did not take the ``invalidation``.
    """

    destination: str
    source: str
    settings: str | None
    collected: bool | None
    dry_run: bool
    files: int
    ignored: int
    objects: int
    plan: Plan
    outcome: Outcome
    release: str | None
    invalidation: Invalidation | None
    cdn_error: str | None
    notes: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def ok(self) -> bool:
        """Whether all is done that was to be done; in a dry run, whether there is a plan."""
        return self.dry_run or (self.outcome.complete and self.cdn_error is None)

    @property
    def changed(self) -> bool:
        """Whether anything was to be done."""
        return bool(self.plan.steps or self.outcome.done or self.invalidation)

    def as_dict(self) -> dict[str, object]:
        """The report in plain JSON types; sizes in bytes, times in seconds."""
        outcome = self.outcome
        uploaded = [step for step in outcome.done if step.sends]
        return {
            "ok": self.ok,
            "changed": self.changed,
            "destination": self.destination,
            "source": self.source,
            "settings": self.settings,
            "collected": self.collected,
            "dry_run": self.dry_run,
            "files": self.files,
            "ignored": self.ignored,
            "objects": self.objects,
            "unchanged": self.plan.unchanged,
            "unclaimed": self.plan.unclaimed,
            "plan": [step.as_dict() for step in self.plan.steps],
            "uploaded": len(uploaded),
            "uploaded_bytes": _total(uploaded),
            "headers_rewritten": sum(step.reason == "headers" for step in outcome.done),
            "variants": outcome.variants,
            "failed": [{"key": failure.step.key, "reason": failure.reason} for failure in outcome.failed],
            "not_tried": [step.key for step in outcome.not_tried],
            "release": self.release,
            "invalidated": list(self.invalidation.paths) if self.invalidation and not self.cdn_error else [],
            "cdn_error": self.cdn_error,
            "notes": list(self.notes),
            "seconds": {step: round(seconds, 3) for step, seconds in self.seconds.items()},
        }

    def lines(self) -> list[str]:
        """The report for a terminal."""
        lines = [f"Note       {note}" for note in self.notes]
        took = self.seconds.get
        if self.collected is not None:
            done = f"in {took('collect', 0):.2f} s" if self.collected else "(unchanged since they were last collected)"
            lines.append(f"Collected  {count(self.files, 'file')} in {self.source} {done}")
        else:
            left_out = f"; {self.ignored} hidden or backup left out" if self.ignored else ""
            lines.append(f"Found      {count(self.files, 'file')} in {self.source}{left_out}")
        unclaimed = f", {self.plan.unclaimed} of them no file's (left alone)" if self.plan.unclaimed else ""
        lines.append(
            f"Listed     {count(self.objects, 'object')} at {self.destination} in {took('list', 0):.2f} s{unclaimed}"
        )
        lines += self._planned() if self.dry_run else self._done()
        if not self.plan.steps and not self.outcome.done:
            lines.append(f"Nothing to upload: {'there are no files' if not self.files else 'everything is there'}.")
        return lines

    def _planned(self) -> list[str]:
        lines = [_planned(step) for step in self.plan.steps]
        sent = [step for step in self.plan.steps if step.sends]
        if self.plan.steps:
            size = size_text(_total(sent))
            lines.append(f"To upload  {count(len(sent), 'file')} ({size}); {self.plan.unchanged} there already")
        if self.invalidation:
            lines.append(f"To forget  {' '.join(self.invalidation.paths)}, by the CDN")
        return lines

    def _done(self) -> list[str]:
        lines = []
        sent = [step for step in self.outcome.done if step.sends]
        if sent:
            variants = f" and {count(self.outcome.variants, 'compressed variant')}" if self.outcome.variants else ""
            lines.append(
                f"Uploaded   {count(len(sent), 'file')} ({size_text(_total(sent))}){variants} in "
                f"{self.seconds.get('upload', 0):.2f} s; {self.plan.unchanged} there already"
            )
        elif self.outcome.variants:
            lines.append(f"Uploaded   {count(self.outcome.variants, 'compressed variant')}")
        rewritten = sum(step.reason == "headers" for step in self.outcome.done)
        if rewritten:
            lines.append(f"Rewritten  the headers of {count(rewritten, 'object')}")
        if self.invalidation and not self.cdn_error:
            lines.append(f"Told CDN   to forget {' '.join(self.invalidation.paths)}")
        return lines

    def failure_lines(self) -> list[str]:
        """Why the run failed, file by file."""
        failed, not_tried = self.outcome.failed, self.outcome.not_tried
        lines = []
        if failed:
            lines.append(f"{count(len(failed), 'file')} could not be uploaded:")
            lines += [f"  {failure.step.key}: {failure.reason}" for failure in failed[:_SHOWN_FAILURES]]
        if len(failed) > _SHOWN_FAILURES:
            lines.append(f"  and {len(failed) - _SHOWN_FAILURES} more (--json names all)")
        if not_tried:
            lines.append(
                f"{count(len(not_tried), 'file')} not tried after that. Run again: what is done is not repeated."
            )
        if self.cdn_error:
            lines.append(f"All files are there, but the CDN may serve older ones: {self.cdn_error}")
        return lines


def _planned(step: Step) -> str:
    file, headers = step.file, step.file.headers
    encoding = f"; {headers.content_encoding}" if headers.content_encoding else ""
    variants = f"  and, where smaller, {', '.join(file.encodings)}" if file.encodings else ""
    return (
        f"  {step.reason:<8}  {step.key}  {size_text(file.size)}  {headers.content_type}{encoding}  "
        f"{headers.cache_control}{variants}"
    )


def _total(steps: Sequence[Step]) -> int:
    return sum(step.file.size for step in steps)


def count(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def size_text(size: int) -> str:
    """A number of bytes as a person reads it."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):  # noqa: B007 - the unit it stops at
        value /= 1000
        if value < 999.95:
            break
    return f"{value:.1f} {unit}"
