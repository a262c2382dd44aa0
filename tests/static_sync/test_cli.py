from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from static_sync.cli import main
from static_sync.options import COMMANDS
from tests.static_sync.conftest import write
from tests.static_sync.stub import StubS3

REPOSITORY = Path(__file__).parents[2]
Where = tuple[str, ...]


@pytest.fixture
def where(stub: StubS3, source: Path) -> Where:
    """What to say for the files of ``source`` to get to the stub."""
    return ("s3://bucket/static", "--source", str(source), "--endpoint-url", stub.url)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out, captured.err


def test_lines_for_a_person(capsys: pytest.CaptureFixture[str], where: Where, source: Path) -> None:
    write(source, {".env": "secret"})
    code, out, err = run(capsys, *where)
    assert (code, err) == (0, "")
    assert "Found      5 files" in out
    assert "1 hidden or backup left out" in out
    assert "Listed     0 objects at s3://bucket/static" in out
    assert "Uploaded   5 files (" in out
    code, out, _ = run(capsys, *where)
    assert code == 0
    assert out.endswith("Nothing to upload: everything is there.\n")


def test_a_dry_run_shows_the_headers(capsys: pytest.CaptureFixture[str], stub: StubS3, where: Where) -> None:
    code, out, _ = run(capsys, *where, "--dry-run", "--cache-control", "*.svg=max-age=5", "--hashed", "app.*")
    assert code == 0
    lines = {line.split()[1]: line for line in out.splitlines() if line.startswith("  new ")}
    immutable = "public, max-age=31536000, immutable"
    assert lines["static/css/site.0123456789ab.css"].endswith(f"19 B  text/css; charset=utf-8  {immutable}")
    assert lines["static/js/app.mjs"].endswith(immutable)
    assert lines["static/img/logo.svg"].endswith("  max-age=5")
    assert "To upload  5 files" in out
    assert stub.count("PUT") == 0


def test_quiet_is_silent_until_something_fails(capsys: pytest.CaptureFixture[str], stub: StubS3, where: Where) -> None:
    assert run(capsys, *where, "-q") == (0, "", "")
    assert stub.count("PUT") > 5
    code, out, err = run(capsys, *where[:1], "--source", "nowhere", "--quiet")
    assert (code, out) == (1, "")
    assert err.startswith("Error: The source nowhere is not there.")


def test_json_is_one_object(capsys: pytest.CaptureFixture[str], where: Where) -> None:
    code, out, err = run(capsys, *where, "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["ok"] is report["changed"] is True
    assert report["destination"] == "s3://bucket/static"
    assert (report["files"], report["objects"], report["unchanged"], report["uploaded"]) == (5, 0, 0, 5)
    assert report["uploaded_bytes"] == sum(step["size"] for step in report["plan"])
    assert (
        report["plan"][0].items()
        >= {
            "key": "static/css/site.0123456789ab.css",
            "path": "css/site.0123456789ab.css",
            "reason": "new",
            "size": 19,
            "stage": "hashed",
        }.items()
    )


def test_a_failure_is_exit_code_1_and_still_json(
    capsys: pytest.CaptureFixture[str], stub: StubS3, where: Where, source: Path
) -> None:
    stub.fault = lambda _number, _method, key: (403, "", {}) if key.endswith("logo.svg") else None
    code, out, err = run(capsys, *where, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["ok"] is False
    assert [failure["key"] for failure in report["failed"]] == ["static/img/logo.svg"]
    assert report["not_tried"][-1] == "static/staticfiles.json"
    assert "static/img/logo.svg: Not allowed to put" in err

    code, out, err = run(capsys, "s3://bucket/x", "--source", str(source / "nowhere"), "--json")
    assert code == 1
    assert json.loads(out)["error"]["kind"] == "SourceError"


def test_many_failures_are_counted(capsys: pytest.CaptureFixture[str], stub: StubS3, tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.css": "x" for number in range(14)})
    stub.fault = lambda _number, method, _key: (400, "", {}) if method == "PUT" else None
    code, out, err = run(capsys, "s3://bucket/x", "--source", str(tmp_path), "--endpoint-url", stub.url)
    assert code == 1
    assert "Found      14 files" in out
    assert "14 files could not be uploaded" in err
    assert "and 4 more" in err


def test_the_exit_code_tells_on_request_whether_there_was_anything_to_do(
    capsys: pytest.CaptureFixture[str], stub: StubS3, where: Where
) -> None:
    codes = [
        run(capsys, *where, *more)[0]
        for more in (["--exit-code", "--dry-run"], ["--exit-code"], ["--exit-code"], ["--exit-code", "--dry-run"], [])
    ]
    assert codes == [3, 3, 0, 0, 0]


def test_the_destination_may_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], stub: StubS3, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATIC_SYNC_DESTINATION", "s3://bucket/from-env")
    monkeypatch.setenv("STATIC_SYNC_CACHE_CONTROL", "*.svg=no-cache")
    code, out, _ = run(capsys, *where[1:])
    assert code == 0
    assert "at s3://bucket/from-env" in out
    assert stub.headers["from-env/img/logo.svg"]["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--source", "."), "There is no destination: write static-sync s3://BUCKET/PREFIX"),
        (("s3://bucket", "--dryrun"), "There is no option --dryrun; did you mean --dry-run? See static-sync --help."),
        (("s3://bucket", "--xyz=5"), "There is no option --xyz. See static-sync --help."),
        (("s3://bucket", "--source"), "--source: expected one argument. See static-sync --help."),
        (("prune", "s3://bucket", "--wait"), "--wait is no option of static-sync prune, but of static-sync."),
        (("s3://bucket", "--keep-releases", "3"), "--keep-releases is no option of static-sync, but of static-sync pr"),
        (("--json", "prune", "s3://bucket"), "A command comes first: static-sync prune s3://BUCKET/PREFIX ..."),
        (("purne", "s3://bucket"), "There is no command purne; did you mean prune?"),
        (("purne",), "purne is neither a destination nor a command; did you mean prune?"),
        (("s3://abc", "s3://def"), "One destination at a time: s3://abc is one, s3://def another."),
        (("bucket",), "s3://BUCKET/PREFIX"),
        (("s3://bucket", "--workers", "many"), "--workers is 'many': give a whole number from 1 to 256."),
        (("s3://bucket", "--endpoint-url", "localhost", "--source", "."), "with its scheme"),
        (("s3://bucket", "--source", ".", "--settings", "x"), "one of the two"),
    ],
)
def test_misuse_is_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert err.startswith("Error: ")
    assert says in err
    if "--json" in arguments:
        assert json.loads(out)["error"]["kind"] == "UsageError"
    else:
        assert out == ""


def test_an_interruption_ends_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("static_sync.job.sync", interrupted)
    code, out, err = run(capsys, "s3://bucket/x", "--source", ".")
    assert (code, out) == (1, "")
    assert err.startswith("Interrupted.")
    code, out, _ = run(capsys, "s3://bucket/x", "--source", ".", "--json")
    assert code == 1
    assert json.loads(out)["error"]["kind"] == "KeyboardInterrupt"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_help_has_every_option_examples_and_exit_codes(capsys: pytest.CaptureFixture[str], command: Any) -> None:
    code, out, _ = run(capsys, command.name, "--help")
    assert code == 0
    assert out.startswith(f"usage: {command.words} [s3://BUCKET/PREFIX] [options]\n\n{command.summary}\n")
    assert [option.flag for option in command.options if not re.search(rf"[ ,] {option.flag}\b", out)] == []
    for example, _ in command.examples:
        assert f"\n  {example}\n" in out
    assert "Exit code: 0 done" in out
    assert ("With --exit-code" in out) == ("--exit-code " in out)
    assert max(map(len, out.splitlines())) <= 120


def test_the_first_help_names_the_other_commands(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "-h")
    for name in ("prune", "releases", "rollback", "check"):
        assert re.search(rf"^  {name} +[A-Z].*\.$", out, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_each_example_in_the_help_can_be_parsed(
    command: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[Any, dict[str, Any]]] = []

    def note(command: Any, given: dict[str, Any], **_: object) -> int:
        calls.append((command, given))
        return 0

    monkeypatch.setattr("static_sync.output.run", note)
    for example, _ in command.examples:
        assert run(capsys, *shlex.split(example)[1:])[0] == 0
    assert [called for called, _ in calls] == [command] * len(command.examples)
    assert all(given["destination"] == "s3://my-site/static" for _, given in calls)


def _process(arguments: tuple[str, ...], **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **options.pop("env", {})}
    return subprocess.run([sys.executable, "-m", "static_sync", *arguments], env=environment, text=True, **options)


def test_a_reader_who_leaves_early_changes_nothing(stub: StubS3, where: Where) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = _process(where, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (process.returncode, process.stderr) == (0, "")
    assert "static/img/logo.svg" in stub.objects


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_report_that_cannot_be_written_is_a_failure(where: Where) -> None:
    with Path("/dev/full").open("w") as full:
        process = _process((*where, "--json"), stdout=full, stderr=subprocess.PIPE)
    assert process.returncode == 1
    assert process.stderr == "Error: the report could not be written: No space left on device.\n"


def test_a_terminal_without_the_characters_of_a_name(stub: StubS3, tmp_path: Path) -> None:
    write(tmp_path, {"é.css": "x"})
    process = _process(
        ("s3://bucket", "--source", str(tmp_path), "--endpoint-url", stub.url, "--dry-run"),
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert r"\xe9.css  1 B" in process.stdout


def test_no_progress_where_it_is_over_at_once_or_not_wanted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[bool] = []

    def sync(_destination: str, **options: Any) -> Any:
        seen.append("progress" in options)
        raise KeyboardInterrupt

    monkeypatch.setattr("static_sync.job.sync", sync)
    for more in ([], ["--json"], ["-q"], ["--dry-run"]):
        run(capsys, "s3://bucket", "--source", ".", *more)
    assert seen == [True, False, False, True]


def test_progress_on_a_terminal_is_gone_at_the_end(stub: StubS3, where: Where) -> None:
    stub.fault = lambda _number, _method, _key: time.sleep(0.06)
    master, slave = os.openpty()
    try:
        process = _process((*where, "--workers", "1"), stdout=subprocess.PIPE, stderr=slave, env={"TERM": "xterm"})
        os.write(slave, b"\0")
        shown = ""
        while not shown.endswith("\0"):
            shown += os.read(master, 65536).decode()
    finally:
        os.close(slave)
        os.close(master)
    assert process.returncode == 0
    assert "Uploaded   5 files" in process.stdout
    lines = shown.split("\r")
    assert re.match(r"Uploading [1-5] of 5 files  0\.0 of 0\.0 MB  ", lines[1])
    assert lines[-1] == "\0"
    assert lines[-2].isspace()


def test_an_interrupted_run_says_so_and_ends(stub: StubS3, where: Where) -> None:
    uploading = threading.Event()

    def slow(_number: int, method: str, _key: str) -> None:
        if method == "PUT":
            uploading.set()
            time.sleep(0.1)

    stub.fault = slow
    process = subprocess.Popen(
        [sys.executable, "-m", "static_sync", *where, "--workers", "1"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert uploading.wait(10)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (1, "")
    assert err == "Interrupted. Every object in the bucket is whole; run again for the rest.\n"
    assert len(stub.objects) < 5


def test_start_up_imports_no_more_than_it_needs(stub: StubS3, where: Where) -> None:
    script = f"""
import sys
import static_sync
assert not {{"http.client", "argparse", "hashlib"}} & set(sys.modules)
from static_sync.cli import main
try:
    main({list(where)!r} + ["--dry-run"])
except SystemExit as ended:
    assert ended.code == 0
heavy = {{"botocore", "boto3", "click", "django", "asyncio", "concurrent", "email.mime", "xml.etree", "subprocess",
          "dataclasses", "difflib", "inspect", "shutil", "brotli"}}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "[]\n")


def test_what_the_project_does_at_its_end_is_done(stub: StubS3, where: Where) -> None:
    script = "import atexit; atexit.register(print, 'the end'); from static_sync.cli import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", script, *where, "--exit-code"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stderr) == (3, "")
    assert process.stdout.startswith("Found")
    assert process.stdout.endswith("the end\n")
    assert stub.objects
