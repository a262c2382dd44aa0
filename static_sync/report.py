"""What a run did, for a person and for a program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from static_sync.plan import Plan, Upload
    from static_sync.transfer import Outcome

_SHOWN_FAILURES = 10


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One run of `sync`. ``collected`` is None with a source folder; ``seconds`` holds the time of each step taken."""

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
    notes: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the bucket now has every file; in a dry run, whether there is a plan."""
        return self.dry_run or len(self.outcome.done) == len(self.plan.uploads)

    def as_dict(self) -> dict[str, object]:
        """The report in plain JSON types; sizes in bytes, times in seconds."""
        return {
            "ok": self.ok,
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
            "plan": [upload.as_dict() for upload in self.plan.uploads],
            "uploaded": len(self.outcome.done),
            "uploaded_bytes": _total(self.outcome.done),
            "failed": [{"key": failure.upload.key, "reason": failure.reason} for failure in self.outcome.failed],
            "not_tried": [upload.key for upload in self.outcome.not_tried],
            "notes": list(self.notes),
            "seconds": {step: round(seconds, 3) for step, seconds in self.seconds.items()},
        }

    def lines(self) -> list[str]:
        """The report for a terminal."""
        lines = [f"Note       {note}" for note in self.notes]
        took = self.seconds.get
        if self.collected is not None:
            done = f"in {took('collect', 0):.2f} s" if self.collected else "(unchanged since they were last collected)"
            lines.append(f"Collected  {_count(self.files, 'file')} in {self.source} {done}")
        else:
            left_out = f"; {self.ignored} hidden or backup left out" if self.ignored else ""
            lines.append(f"Found      {_count(self.files, 'file')} in {self.source}{left_out}")
        unclaimed = f", {self.plan.unclaimed} of them no file's (left alone)" if self.plan.unclaimed else ""
        lines.append(
            f"Listed     {_count(self.objects, 'object')} at {self.destination} in {took('list', 0):.2f} s{unclaimed}"
        )
        if self.dry_run:
            lines += [_planned(upload) for upload in self.plan.uploads]
            verb, uploads = "To upload ", self.plan.uploads
        else:
            verb, uploads = "Uploaded  ", self.outcome.done
        if not self.plan.uploads:
            lines.append(f"Nothing to upload: {'there are no files' if not self.files else 'everything is there'}.")
            return lines
        duration = "" if self.dry_run else f" in {took('upload', 0):.2f} s"
        lines.append(
            f"{verb} {_count(len(uploads), 'file')} ({_bytes(_total(uploads))}){duration}; "
            f"{self.plan.unchanged} there already"
        )
        return lines

    def failure_lines(self) -> list[str]:
        """Why the run failed, file by file."""
        failed, not_tried = self.outcome.failed, self.outcome.not_tried
        lines = [f"{_count(len(failed), 'file')} could not be uploaded:"]
        lines += [f"  {failure.upload.key}: {failure.reason}" for failure in failed[:_SHOWN_FAILURES]]
        if len(failed) > _SHOWN_FAILURES:
            lines.append(f"  and {len(failed) - _SHOWN_FAILURES} more (--json names all)")
        if not_tried:
            lines.append(
                f"{_count(len(not_tried), 'file')} not tried after that. Run again: what is done is not repeated."
            )
        return lines


def _planned(upload: Upload) -> str:
    file = upload.file
    encoding = f"; {file.content_encoding}" if file.content_encoding else ""
    return (
        f"  {upload.reason:<7}  {upload.key}  {_bytes(file.size)}  {file.content_type}{encoding}  {file.cache_control}"
    )


def _total(uploads: tuple[Upload, ...]) -> int:
    return sum(upload.file.size for upload in uploads)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _bytes(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):  # noqa: B007 - the unit it stops at
        value /= 1000
        if value < 999.95:
            break
    return f"{value:.1f} {unit}"
