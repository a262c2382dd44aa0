"""Whole builds: of a new project for this machine, and of native packages for another processor."""

from __future__ import annotations

import io
import json
import os
import platform
import re
import subprocess
import sys
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.tags import Tag, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

import infra.build.sizes
from infra.build import Package, build
from infra.build.install import foreign, install
from infra.build.resolve import resolve
from infra.build.target import Target
from infra.configuration import Architecture, Configuration
from infra.exceptions import BuildError, InfraError
from infra.steps import Steps
from tests.emulator.helpers import ROOT, start_project

PYTHON = "{}.{}".format(*sys.version_info)
HERE: Architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
SECRET = "planted-8d1f"


def configured(folder: Path) -> Configuration:
    return Configuration(folder, "shop", python=PYTHON, architecture=HERE)


def run(configuration: Configuration, output: Path) -> tuple[Package, str]:
    said = io.StringIO()
    return build(configuration, Steps(said), output=output), said.getvalue()


@dataclass(frozen=True)
class Built:
    folder: Path
    package: Package
    said: str

    def names(self) -> list[str]:
        with zipfile.ZipFile(self.package.zip.path) as archive:
            return archive.namelist()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = start_project(tmp_path_factory.mktemp("site"))
    with (folder / "mysite/settings.py").open("a") as settings:
        settings.write(
            'STORAGES = {"staticfiles": {"BACKEND": "static_sync.storage.ManifestStorage",\n'
            '    "OPTIONS": {"manifest": BASE_DIR / "staticfiles.json"}}}\n'
            'STATIC_ROOT = BASE_DIR / "collected"\nMEDIA_ROOT = BASE_DIR / "uploads"\n'
        )
    (folder / "requirements.txt").write_text(f"Django=={installed('django')}\nidna\n")
    for name in (".env", "uploads/invoice.txt", "dist/old.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(SECRET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", f"postgres://shop:{SECRET}@db/shop")
        patch.setenv("DJANGO_SECRET_KEY", SECRET)
        package, said = run(configured(folder), folder / "dist")
    return Built(folder, package, said)


def installed(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def test_the_manifest_tells_what_was_built(built: Built) -> None:
    package = built.package
    assert Package.read(built.folder / "dist") == package
    assert (package.settings, package.interface, package.python) == ("mysite.settings", "wsgi", PYTHON)
    assert package.handler == "adapter.entrypoint.handler"
    names = [entry.name for entry in package.packages]
    assert names == ["asgiref", "django", "django-faas", "idna", "sqlparse"]
    sizes = {entry.name: entry.size for entry in package.packages}
    assert sizes["django"] > 10_000_000 > sizes["idna"] > 100_000
    with zipfile.ZipFile(package.zip.path) as archive:
        assert sum(entry.file_size for entry in archive.infolist()) == package.zip.unpacked
    # All but the project itself belongs to a package.
    assert 0 < package.zip.unpacked - sum(sizes.values()) < 100_000


def test_each_step_says_a_line(built: Built) -> None:
    steps = [line.split()[0] for line in built.said.splitlines()]
    assert steps == ["project", "resolve", "install", "collect", "copy", "prune", "compile", "zip", "size"]


def test_no_module_is_without_bytecode(built: Built) -> None:
    names = set(built.names())
    modules = {name for name in names if name.endswith(".py")}
    assert len(modules) > 500
    tag = sys.implementation.cache_tag
    folder_and_name = (name[:-3].rpartition("/") for name in modules)
    needed = {f"{folder}{slash}__pycache__/{name}.{tag}.pyc" for folder, slash, name in folder_and_name}
    assert needed == {name for name in names if name.endswith(".pyc")}


def test_what_is_in_the_zip_and_what_is_not(built: Built) -> None:
    names = set(built.names())
    assert {"manage.py", "mysite/settings.py", "staticfiles.json", "adapter/entrypoint.py"} < names
    assert "static_sync/storage.py" in names
    assert not [name for name in names if re.match(r"emulator/|infra/|bin/|collected/|uploads/|dist/|\.env", name)]
    assert not [name for name in names if re.search(r"\.po$|/tests/|admin/static/.|direct_url|INSTALLER", name)]


def test_what_is_secret_stays_here(built: Built) -> None:
    assert SECRET not in built.said
    for path in [path for path in (built.folder / "dist").rglob("*") if path.is_file() and path.name != "old.txt"]:
        assert SECRET.encode() not in path.read_bytes(), path
    with zipfile.ZipFile(built.package.zip.path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert SECRET.encode() not in content, name
            assert str(built.folder).encode() not in content, name


def test_static_files_are_ready_to_be_synced(built: Built) -> None:
    static = built.package.static
    assert static is not None
    assert static.manifest == static.folder / "staticfiles.json"
    with zipfile.ZipFile(built.package.zip.path) as archive:
        assert archive.read("staticfiles.json") == static.manifest.read_bytes()
    paths = json.loads(static.manifest.read_bytes())["paths"]
    assert (static.folder / paths["admin/css/base.css"]).is_file()
    assert static.files == sum(path.is_file() for path in static.folder.rglob("*")) > 200


def test_what_the_output_folder_had_besides_is_left_alone(built: Built) -> None:
    assert {path.name for path in (built.folder / "dist").iterdir()} == {
        *("function.zip", "static", "manifest.json", "old.txt"),
    }


@pytest.fixture(scope="module")
def refused(built: Built, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output of a second build, for which Lambda takes less."""
    output = tmp_path_factory.mktemp("refused") / "dist"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infra.build.sizes, "UNPACKED_LIMIT", 10 << 20)
        with pytest.raises(BuildError) as error:
            run(configured(built.folder), output)
    return output, str(error.value)


def test_two_builds_are_the_same_byte_for_byte(built: Built, refused: tuple[Path, str]) -> None:
    assert (refused[0] / "function.zip").read_bytes() == built.package.zip.path.read_bytes()


def test_a_build_that_fails_leaves_the_one_before(built: Built) -> None:
    folder = built.folder
    (folder / "requirements.txt").rename(folder / "kept.txt")
    try:
        with pytest.raises(InfraError):
            run(configured(folder), folder / "dist")
        (folder / "requirements.txt").write_text("there-is-no-such-thing-as-this\n")
        with pytest.raises(BuildError):
            run(configured(folder), folder / "dist")
    finally:
        (folder / "kept.txt").rename(folder / "requirements.txt")
    assert Package.read(folder / "dist") == built.package


def test_what_lambda_does_not_take_is_no_package(refused: tuple[Path, str]) -> None:
    output, said = refused
    assert re.search(
        r"Unpacked it is [\d.]+ MB, and Lambda takes 10\.0 MB: django .*Take out of the requirements", said
    )
    with pytest.raises(BuildError, match="There is no package"):
        Package.read(output)
    assert f"FROM public.ecr.aws/lambda/python:{PYTHON}" in (output / "Dockerfile").read_text()


def test_the_command(built: Built, tmp_path: Path) -> None:
    def command(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra", "build", *options],
            cwd=built.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    (built.folder / "faas.toml").write_text('name = "shop"\npython = "3.12"\nrequirements = "other.txt"\n')
    try:
        wrong = command()
        assert (wrong.returncode, wrong.stdout) == (1, "")
        assert "faas.toml names other.txt" in wrong.stderr
    finally:
        (built.folder / "faas.toml").unlink()
    assert "'3.10' is not one of" in command("--python", "3.10").stderr


# For another processor


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Version]]:
    """The tree of a package for the default target, and the versions in it."""
    place = tmp_path_factory.mktemp("arm")
    (place / "requirements.txt").write_text(f"Django=={installed('django')}\npsycopg[binary]\nPillow\ncryptography\n")
    configuration = Configuration(place, "shop")
    target = Target.of(configuration)
    assert str(target) == "Python 3.13 on arm64"
    found = install(resolve(configuration, target, place), target, place / "tree", place, lambda _: None)
    return place / "tree", {each.name: Version(each.version) for each in found}


def test_a_package_for_arm_has_no_file_for_another_processor(arm: tuple[Path, dict[str, Version]]) -> None:
    native = foreign(arm[0], Target("3.13", "x86_64"))
    assert {"PIL", "psycopg_binary", "cryptography"} <= {name.partition("/")[0] for name in native}
    assert foreign(arm[0], Target("3.13", "arm64")) == []


@pytest.mark.parametrize("name", ["psycopg-binary", "pillow", "cryptography"])
def test_versions_are_the_newest_that_the_runtimes_c_library_takes(
    arm: tuple[Path, dict[str, Version]], name: str
) -> None:
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(34, 16, -1)] + ["manylinux2014_aarch64"]
    assert arm[1][name] == newest(name, set(cpython_tags((3, 13), platforms=platforms)))


def newest(name: str, taken: set[Tag]) -> Version:
    """What the index has for one of the tags; no pre-release, and nothing that was withdrawn."""
    request = urllib.request.Request(
        f"https://pypi.org/simple/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        files = json.load(answer)["files"]
    found = set()
    for file in files:
        try:
            _, version, _, tags = parse_wheel_filename(file["filename"])
        except InvalidWheelFilename:
            continue
        if tags & taken and not version.is_prerelease and not file.get("yanked"):
            found.add(version)
    return max(found)
