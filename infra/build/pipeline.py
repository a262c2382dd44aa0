"""The steps of a build, in their order; each is a module of its own beside this one.

All is made in a folder that is gone afterwards. The output folder is touched at the end, when all has gone well.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

from emulator.blueprint import HANDLER
from emulator.exceptions import ProjectError
from emulator.project import Project, inspect
from emulator.variables import import_path
from static_sync.manifest import MANIFEST_NAME

from ..configuration import Configuration
from ..exceptions import BuildError, ConfigurationError
from ..steps import Steps
from . import archive, bytecode, copy, ignored, imports, install, prune, resolve, sizes
from .collect import Collected, collect
from .distributions import Distribution
from .package import MANIFEST, Installed, Package, StaticFiles, Zip
from .target import Target

_ZIP, _STATIC, _IMAGE = "function.zip", "static", "Dockerfile"


def run(configuration: Configuration, steps: Steps, *, output: Path, runtime_boto3: bool) -> Package:
    """Build; see `infra.build.build`."""
    with tempfile.TemporaryDirectory(prefix="django-faas-") as name:
        return _Build(configuration, steps, output.resolve(), Path(name)).run(runtime_boto3=runtime_boto3)


class _Build:
    def __init__(self, configuration: Configuration, steps: Steps, output: Path, place: Path) -> None:
        self._configuration = configuration
        self._steps = steps
        self._output = output
        self._place = place
        self._target = Target.of(configuration)
        self._tree = place / "function"
        self._made = place / "made"
        self._tree.mkdir()
        self._made.mkdir()
        self._variables = self._read_variables()

    def run(self, *, runtime_boto3: bool) -> Package:
        project = self._inspect()
        distributions = self._install()
        collected = self._collect(project)
        if collected is not None:
            self._note_differing(collected.differing(distributions))
        self._copy(project, collected)
        self._note_missing(imports.missing(self._tree, distributions, project.choices))
        with self._steps.step("prune") as step:
            before = sum(_size(path) for path in self._tree.rglob("*"))
            untranslated = prune.untranslated(self._tree)
            sources = collected.sources if collected is not None else ()
            distributions = prune.prune(self._tree, distributions, sources, runtime_boto3=runtime_boto3)
            after = sum(_size(path) for path in self._tree.rglob("*"))
            step.says(f"{sizes.shown(before - after)} that no function needs")
        if untranslated:
            self._steps.note(
                f"Without a .mo beside it, which is all that Django reads: {_named(untranslated)}; run manage.py "
                "compilemessages"
            )
        self._compile()
        zipped = self._zip()
        packages = tuple(Installed(each.name, each.version, each.size(self._tree)) for each in distributions)
        return self._finish(project, collected, zipped, packages)

    def _read_variables(self) -> dict[str, str]:
        """The environment in which the project is asked and its static files are collected."""
        variables = {**os.environ, "PYTHONPATH": import_path(self._configuration.folder)}
        if self._configuration.settings:
            variables["DJANGO_SETTINGS_MODULE"] = self._configuration.settings
        variables.setdefault("DJANGO_SECRET_KEY", "while-the-package-is-built")
        return variables

    def _inspect(self) -> Project:
        with self._steps.step("project") as step:
            try:
                project = asyncio.run(inspect(self._configuration.folder, self._variables, choices=True))
            except ProjectError as error:
                raise ConfigurationError(str(error)) from None
            step.says(f"{project.settings} by {self._configuration.interface}, for {self._target}")
            return project

    def _install(self) -> list[Distribution]:
        with self._steps.step("resolve") as step:
            resolved = resolve.resolve(self._configuration, self._target, self._place)
            step.says(str(resolved))
        with self._steps.step("install") as step:
            distributions = install.install(resolved, self._target, self._tree, self._place, step.progress)
            step.says(f"{len(distributions)} packages for {self._target.platform}")
        if foreign := install.foreign(self._tree, self._target):
            self._steps.note(f"Not for {self._target.architecture}, and of no use there: {_named(foreign)}")
        return distributions

    def _collect(self, project: Project) -> Collected | None:
        with self._steps.step("collect") as step:
            collected = collect(project.folder, self._configuration.settings, self._variables, self._made / _STATIC)
            if collected is None:
                step.says("no static files: django.contrib.staticfiles is not in INSTALLED_APPS")
                return None
            hashed = "with hashed names" if collected.manifest is not None else "whose names are not hashed"
            step.says(f"{collected.files} static files {hashed}")
        for note in collected.notes:
            self._steps.note(note)
        return collected

    def _note_differing(self, differing: list[str]) -> None:
        if differing:
            self._steps.note(
                f"Static files are those of what is installed here, which is another version: {', '.join(differing)}. "
                "Install here what the project asks for, and build again"
            )

    def _copy(self, project: Project, collected: Collected | None) -> None:
        with self._steps.step("copy") as step:
            roots = (project.static_root, project.media_root)
            inside = [root for root in roots if root and root != project.folder and root.is_relative_to(project.folder)]
            copied = copy.copy_project(project.folder, self._tree, [*inside, self._output])
            if collected is not None:
                collected.place_manifest(self._tree)
            size = sizes.shown(copied.size)
            step.says(f"{copied.files} files of the project ({size}), {copied.left_out} left out")

    def _note_missing(self, missing: list[str]) -> None:
        if missing:
            self._steps.note(
                f"Asked for, and not in the package: {', '.join(missing)}. Add to the requirements what brings it; or, "
                f"where no function needs it, leave the file out in {ignored.FILE}"
            )

    def _compile(self) -> None:
        with self._steps.step("compile") as step:
            python = bytecode.interpreter(self._target, self._place)
            if python is not None:
                count, failed = bytecode.compile_modules(self._tree, python)
                step.says(f"{count} modules")
            else:
                step.says("left out")
        if python is None:
            self._steps.note(
                f"There is no Python {self._target.python} here to compile with, and uv could not fetch one: the "
                "function compiles its modules at each cold start, which makes that several times as long. Install "
                f"Python {self._target.python}, and build again"
            )
        elif failed:
            self._steps.note(f"Can't be compiled for Python {self._target.python}, nor imported: {_named(failed)}")

    def _zip(self) -> Zip:
        with self._steps.step("zip") as step:
            zipped = archive.write(self._tree, self._made / _ZIP, step.progress)
            step.says(
                f"{sizes.shown(zipped.size)}, unpacked {sizes.shown(zipped.unpacked)} of the "
                f"{sizes.UNPACKED_LIMIT // sizes.MB} that Lambda takes"
            )
            return zipped

    def _finish(
        self, project: Project, collected: Collected | None, zipped: Zip, packages: tuple[Installed, ...]
    ) -> Package:
        self._steps.line("size", sizes.report(packages, zipped.unpacked))
        if zipped.size > sizes.UPLOAD_LIMIT:
            self._steps.note(
                f"A zip of more than {sizes.UPLOAD_LIMIT // sizes.MB} MB has to come from S3, as `django-faas deploy` "
                "and `sam deploy` have it; Lambda's console and `aws lambda update-function-code --zip-file` refuse it"
            )
        large = zipped.unpacked > sizes.UNPACKED_LIMIT
        if large:
            sizes.write_image_file(self._made / _IMAGE, self._configuration.name, self._target, zipped, HANDLER)
        self._replace()
        zipped = dataclasses.replace(zipped, path=self._output / _ZIP)
        if large:
            raise BuildError(sizes.too_large(zipped, packages, self._output / _IMAGE))
        static = None
        if collected is not None:
            folder = self._output / _STATIC
            manifest = folder / MANIFEST_NAME if collected.manifest is not None else None
            static = StaticFiles(folder, manifest, collected.files)
        package = Package(
            self._output,
            self._configuration.name,
            zipped,
            self._target.python,
            self._target.architecture,
            HANDLER,
            project.settings,
            self._configuration.interface,
            static,
            packages,
        )
        package.write()
        return package

    def _replace(self) -> None:
        """Put what was made into the output folder; the manifest, which says it is whole, goes first and comes last."""
        self._output.mkdir(parents=True, exist_ok=True)
        (self._output / MANIFEST).unlink(missing_ok=True)
        for name in (_ZIP, _STATIC, _IMAGE):
            old = self._output / name
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
            if (self._made / name).exists():
                shutil.move(self._made / name, old)


def _named(things: list[str]) -> str:
    return things[0] if len(things) == 1 else f"{things[0]} and {len(things) - 1} more"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
