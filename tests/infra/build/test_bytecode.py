from __future__ import annotations

import marshal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.build import bytecode, uv
from infra.build.target import Target

MODULES = {
    "shop/__init__.py": "",
    "shop/views.py": "NAMES = {'a', 'b', 'c', 'd'}\ndef view(request, x={'q': 1}):\n    return x in {'e', 'f', 'g'}\n",
    "shop/é.py": "grüße = 'hallo'\n",
    "broken.py": "def f(:\n",
}


def written(folder: Path) -> Path:
    for name, text in MODULES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def compiled(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.pyc"))}


def test_each_module_has_bytecode_that_is_taken_unchecked(tmp_path: Path) -> None:
    count, failed = bytecode.compile_modules(written(tmp_path), Path(sys.executable))
    assert (count, len(failed)) == (3, 1)
    assert failed[0].startswith("broken.py:1: ")
    tag = sys.implementation.cache_tag
    found = compiled(tmp_path)
    assert set(found) == {f"shop/__pycache__/{name}.{tag}.pyc" for name in ("__init__", "views", "é")}
    # PEP 552: the flags after the magic number; bit 0 is "by hash", bit 1 "look at the source", which must be off.
    assert {content[4:8] for content in found.values()} == {b"\x01\x00\x00\x00"}
    code = marshal.loads(found[f"shop/__pycache__/views.{tag}.pyc"][16:])
    assert code.co_filename == "/var/task/shop/views.py"


def test_the_same_modules_give_the_same_bytes_whatever_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for number, seed in enumerate(("1", "2")):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        monkeypatch.setenv("PYTHONOPTIMIZE", seed)
        monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "elsewhere"))
        folder = written(tmp_path / str(number))
        bytecode.compile_modules(folder, Path(sys.executable))
        found.append(compiled(folder))
    assert len(found[0]) == 3
    assert found[0] == found[1]


def test_a_python_of_the_targets_version_is_found_fetched_or_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = "{}.{}".format(*sys.version_info)
    assert bytecode.interpreter(Target(here, "arm64"), tmp_path) == Path(sys.executable)
    other, fetched = Target("3.9", "arm64"), Path("/fetched/python")
    answers = [None, fetched]
    asked = []
    monkeypatch.setattr(bytecode, "find", lambda _: answers.pop(0))
    monkeypatch.setattr(uv, "run", lambda arguments, _folder: asked.append(arguments))
    assert bytecode.interpreter(other, tmp_path) == fetched
    assert asked == [["python", "install", "--no-bin", "3.9"]]

    def fail(_arguments: list[str], _folder: Path) -> str:
        raise uv.UvFailed("no connection")

    answers.append(None)
    monkeypatch.setattr(uv, "run", fail)
    assert bytecode.interpreter(other, tmp_path) is None


def test_the_compiler_runs_by_itself(tmp_path: Path) -> None:
    """It is run by other Pythons than the one that runs this."""
    written(tmp_path)
    script = Path(bytecode.__file__).with_name("compiler.py")
    process = subprocess.run(
        [sys.executable, "-S", "-I", str(script), str(tmp_path)],
        input="shop/views.py\nbroken.py",
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("broken.py:1: ")
