"""From what a project says it needs to what is in the tree; wheels come from a folder, so no index is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.build import uv
from infra.build.distributions import Distribution
from infra.build.install import foreign, install
from infra.build.resolve import Resolved, resolve
from infra.build.target import Target
from infra.exceptions import BuildError, ConfigurationError
from tests.infra.build.wheels import configured, django, sdist, wheel

ARM = Target("3.13", "arm64")


@pytest.fixture(autouse=True)
def _local(local_wheels: Path) -> None:
    django(local_wheels)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def resolved(site: Path, target: Target = ARM, requirements: Path | None = None) -> Resolved:
    place = site.parent / "place"
    place.mkdir(exist_ok=True)
    return resolve(configured(site, requirements=requirements), target, place)


def installed(site: Path, target: Target = ARM) -> dict[str, str]:
    tree = site.parent / "tree"
    tree.mkdir(exist_ok=True)
    found = install(resolved(site, target), target, tree, site.parent / "place", lambda _: None)
    return versions(found)


def versions(found: list[Distribution]) -> dict[str, str]:
    return {each.name: each.version for each in found if each.name not in {"django", "django-faas"}}


def lock(site: Path, dependencies: str, more: str = "") -> None:
    (site / "pyproject.toml").write_text(
        f'[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{dependencies}]\n{more}'
    )
    uv.run(["lock"], site)


def test_a_lock_comes_before_requirements_and_these_before_the_project_file(site: Path) -> None:
    wheels = site.parent / "wheels"
    for name in ("locked", "listed", "declared"):
        wheel(wheels, name, "1.0")
    with pytest.raises(ConfigurationError, match=r"uv\.lock, requirements\.txt, pyproject\.toml were looked for"):
        resolved(site)
    (site / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\ndependencies = ["declared"]\n')
    assert "declared==1.0" in resolved(site).pins.read_text()
    (site / "requirements.txt").write_text("listed\n")
    found = resolved(site)
    assert str(found) == "2 requirements from requirements.txt"
    assert "listed==1.0" in found.pins.read_text()
    lock(site, '"locked", "django"')
    found = resolved(site)
    assert str(found) == "2 requirements from uv.lock"
    assert "locked==1.0" in found.pins.read_text()
    named = site / "listed.txt"
    named.write_text("listed\n")
    assert "listed==1.0" in resolved(site, requirements=named).pins.read_text()


def test_files_elsewhere_are_named(site: Path) -> None:
    (site / "requirements").mkdir()
    (site / "requirements/production.txt").write_text("")
    with pytest.raises(ConfigurationError, match=r'requirements = "requirements/production\.txt"'):
        resolved(site)
    (site.parent / "uv.lock").write_text("")
    with pytest.raises(ConfigurationError, match=r'requirements = "\.\./uv\.lock"'):
        resolved(site)


def test_the_newest_wheel_that_the_runtimes_c_library_takes(site: Path) -> None:
    wheels = site.parent / "wheels"
    for version, tag in [("1.0", "2_17"), ("2.0", "2_28"), ("3.0", "2_34"), ("4.0", "2_39")]:
        for machine in ("aarch64", "x86_64"):
            wheel(wheels, "native", version, tag=f"py3-none-manylinux_{tag}_{machine}")
    (site / "requirements.txt").write_text("native\n")
    assert installed(site, Target("3.14", "arm64")) == {"native": "3.0"}
    assert "native==3.0" in resolved(site, Target("3.12", "x86_64")).pins.read_text()
    assert "native==1.0" in resolved(site, Target("3.11", "arm64")).pins.read_text()


def test_what_is_locked_without_a_wheel_is_an_error_and_no_older_release(site: Path) -> None:
    wheels = site.parent / "wheels"
    wheel(wheels, "native", "1.0", tag="py3-none-manylinux_2_17_aarch64")
    wheel(wheels, "native", "2.0", tag="py3-none-manylinux_2_39_aarch64")
    lock(site, '"native", "django"')
    with pytest.raises(BuildError, match="native"):
        installed(site)


def test_what_comes_as_source_alone_is_refused_with_the_ways_out(site: Path) -> None:
    sdist(site.parent / "wheels", "onlysource", "1.0")
    (site / "requirements.txt").write_text("onlysource\n")
    with pytest.raises(BuildError, match=r"onlysource: no wheel for Python 3\.13 on arm64") as refused:
        resolved(site)
    assert "https://pypi.org/project/onlysource/#files" in str(refused.value)
    assert "pip wheel --no-deps -w wheels onlysource" in str(refused.value)


def test_a_folder_of_wheels_that_the_requirements_name(site: Path) -> None:
    wheel(site / "own", "homemade", "1.0")
    (site / "requirements.txt").write_text("--find-links own\nhomemade\n")
    assert installed(site) == {"homemade": "1.0"}


def test_a_wheel_that_a_lock_names_by_its_path(site: Path) -> None:
    path = wheel(site / "own", "homemade", "1.0")
    sources = f'[tool.uv.sources]\nhomemade = {{ path = "own/{path.name}" }}\n'
    lock(site, '"homemade", "django"', sources)
    assert installed(site) == {"homemade": "1.0"}


def test_other_errors_are_uvs_own_words(site: Path) -> None:
    (site / "requirements.txt").write_text("there-is-no-such-thing\n")
    with pytest.raises(BuildError, match="there-is-no-such-thing was not found"):
        resolved(site)


@pytest.mark.parametrize("line", ["django-faas[emulator]", "Django_FaaS>=9", "django-faas @ file:///nowhere"])
def test_django_faas_is_left_out_whatever_names_it(site: Path, line: str) -> None:
    wheel(site.parent / "wheels", "other", "1.0", requires=("django-faas",))
    (site / "requirements.txt").write_text(f"{line}\nother\n")
    assert installed(site) == {"other": "1.0"}


def test_what_django_faas_alone_needs_is_no_part_of_a_lock_nor_are_groups(site: Path) -> None:
    wheels = site.parent / "wheels"
    for name in ("needed", "tester"):
        wheel(wheels, name, "1.0")
    wheel(wheels, "moto", "5.0")
    wheel(wheels, "django_faas", "0.1", requires=("moto",))
    lock(site, '"needed", "django", "django-faas"', '[dependency-groups]\ndev = ["tester"]\n')
    assert installed(site) == {"needed": "1.0"}


def test_a_project_without_django_is_told(site: Path) -> None:
    wheel(site.parent / "wheels", "needed", "1.0")
    lock(site, '"needed"')
    with pytest.raises(BuildError, match=r"uv\.lock does not ask for Django"):
        installed(site)


def test_hashes_are_held_against_what_is_installed(site: Path) -> None:
    wheel(site.parent / "wheels", "needed", "1.0")
    (site / "requirements.txt").write_text(f"needed==1.0 --hash=sha256:{'0' * 64}\ndjango==5.2.99\n")
    with pytest.raises(BuildError, match=r"(?i)hash mismatch"):
        installed(site)


def test_native_files_for_another_processor_are_found(tmp_path: Path) -> None:
    def elf(machine: int) -> bytes:
        return b"\x7fELF\x02\x01\x01" + bytes(11) + machine.to_bytes(2, "little") + bytes(40)

    (tmp_path / "deep").mkdir()
    for name, content in {"a.so": elf(62), "deep/b.so.1": elf(183), "c.py": b"x", "d": b"\x7fEL"}.items():
        (tmp_path / name).write_bytes(content)
    assert foreign(tmp_path, ARM) == ["a.so"]
    assert foreign(tmp_path, Target("3.13", "x86_64")) == ["deep/b.so.1"]
