"""Collects the same sources by Django's own collectstatic and by ours, and tells what each of them left and said."""

from __future__ import annotations

import contextlib
import io
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.management.commands import collectstatic
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, StaticFilesStorage
from django.core.exceptions import SuspiciousFileOperation
from django.core.management import call_command
from django.test import override_settings

from static_sync.collecting import one_pass
from static_sync.collecting.command import make_command
from tests.static_sync.conftest import write

STATIC_URL = "/static/"
# How Django says no to a tree, and the one way in which ours leaves a tree to Django.
EXPECTED = (one_pass.UnusualError, ValueError, OSError, SuspiciousFileOperation)


@dataclass
class Collected:
    """One collection: each file's bytes and mode, the names as they were reported, and how it failed."""

    tree: dict[str, tuple[bytes, int]]
    processed: list[str]
    error: str | None
    # Not compared: Django goes by the time, and it is always the sources that are younger here.
    copied: list[str] = field(compare=False)


class Comparison:
    """Sources in ``root``, collected in turn by Django and by ours, as often as `collect` is called."""

    def __init__(self, root: Path, storage: type[StaticFilesStorage] = ManifestStaticFilesStorage, **options: Any):
        self.root = root
        self.sources = [root / "assets", root / "more"]
        self.storage = storage
        self.options = options
        self.clear = False
        self.ordered = True  # whether the results come in an order that is always the same
        self.left_to_django: list[Exception] = []
        self.plan: one_pass.Plan | None = None  # the last one, if there was one
        self._round = 0
        for folder in (*self.sources, root / "theirs", root / "ours"):
            folder.mkdir(parents=True)

    def write(self, files: dict[str, str | bytes], source: int = 0) -> None:
        """Write sources, later than all copies made so far: Django goes by the time."""
        write(self.sources[source], files)
        self._round += 1
        for name in files:
            later = time.time() + 10 * self._round
            os.utime(self.sources[source] / name, (later, later))

    def collect(self, **settings: Any) -> tuple[Collected, Collected]:
        """What Django made of it, and what we made of it."""
        self.plan = None
        changes = {
            "STATICFILES_DIRS": [str(folder) for folder in self.sources],
            "STATICFILES_FINDERS": ["django.contrib.staticfiles.finders.FileSystemFinder"],
            "STATIC_URL": STATIC_URL,
            **settings,
        }
        with override_settings(**changes), self._watched():
            theirs = collectstatic.Command()
            theirs.storage = self.storage(str(self.root / "theirs"), **self.options)
            ours = make_command(self.storage(str(self.root / "ours"), **self.options), overridden=False)
            return self._run(theirs, "theirs"), self._run(ours, "ours")

    def same(self, *, quick: bool | None = True, **settings: Any) -> Collected:
        """Collect, see that both did the same, and that it was (or was not) done in one pass."""
        theirs, ours = self.collect(**settings)
        assert ours.error == theirs.error
        assert ours.tree.keys() == theirs.tree.keys()
        assert ours == theirs
        if quick is not None:
            assert not self.left_to_django if quick else self.left_to_django
        self.left_to_django.clear()
        return ours

    def leave(self, files: dict[str, str | bytes]) -> None:
        """Write into both collected folders, as if it lay there from earlier on."""
        for folder in ("theirs", "ours"):
            write(self.root / folder, files)

    def _run(self, command: Any, folder: str) -> Collected:
        error = None
        output = io.StringIO()
        try:
            call_command(
                command,
                interactive=False,
                verbosity=0,
                clear=self.clear,
                use_default_ignore_patterns=False,
                ignore_patterns=[".*", "CVS", "*~"],
                stderr=output,
                no_color=True,
            )
        except Exception as raised:
            text = f"{type(raised).__name__}: {raised} {getattr(raised, '__notes__', '')} {output.getvalue()}"
            error = re.sub(r"0x[0-9a-f]+", "0x", text).replace(str(self.root / folder), "ROOT")
        processed = command.post_processed_files if self.ordered else sorted(command.post_processed_files)
        if self.clear:
            processed = []  # Django has removed, and does again, what we keep
        return Collected(tree(self.root / folder), processed, error, command.copied_files)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        make_plan = one_pass.make_plan

        def watched(*arguments: Any) -> one_pass.Plan:
            try:
                self.plan = make_plan(*arguments)
            except EXPECTED as error:
                self.left_to_django.append(error)
                raise
            except Exception as error:
                pytest.fail(f"The plan stumbled: {error!r}")
            return self.plan

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(one_pass, "make_plan", watched)
            yield


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in paths}
