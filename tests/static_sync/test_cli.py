from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from static_sync.cli import main
from tests.static_sync.conftest import write
from tests.static_sync.stub import StubS3


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out, captured.err


def test_lines_for_a_person(capsys: pytest.CaptureFixture[str], stub: StubS3, source: Path) -> None:
    write(source, {".env": "secret"})
    arguments = ("s3://bucket/static", "--source", str(source), "--endpoint-url", stub.url)
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert "Found      5 files" in out
    assert "1 hidden or backup left out" in out
    assert "Listed     0 objects at s3://bucket/static" in out
    assert "Uploaded   5 files (" in out
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert out.endswith("Nothing to upload: everything is there.\n")


def test_a_dry_run_shows_the_headers(capsys: pytest.CaptureFixture[str], stub: StubS3, source: Path) -> None:
    code, out, _ = run(capsys, "s3://bucket/static", "--source", str(source), "--endpoint-url", stub.url, "--dry-run")
    assert code == 0
    assert (
        "  new      static/css/site.0123456789ab.css  19 B  text/css; charset=utf-8  "
        "public, max-age=31536000, immutable\n"
    ) in out
    assert "To upload  5 files" in out
    assert stub.count("PUT") == 0


def test_json_is_one_object(capsys: pytest.CaptureFixture[str], stub: StubS3, source: Path) -> None:
    code, out, err = run(capsys, "s3://bucket/x", "--source", str(source), "--endpoint-url", stub.url, "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["ok"] is True
    assert report["destination"] == "s3://bucket/x"
    assert (report["files"], report["objects"], report["unchanged"], report["uploaded"]) == (5, 0, 0, 5)
    assert report["uploaded_bytes"] == sum(upload["size"] for upload in report["plan"])
    assert report["plan"][0] == {
        "key": "x/css/site.0123456789ab.css",
        "path": "css/site.0123456789ab.css",
        "reason": "new",
        "size": 19,
        "stage": "hashed",
        "content_type": "text/css; charset=utf-8",
        "content_encoding": None,
        "cache_control": "public, max-age=31536000, immutable",
    }
    assert report["seconds"].keys() == {"collect", "read", "list", "upload"}


def test_a_failure_is_exit_code_1_and_still_json(
    capsys: pytest.CaptureFixture[str], stub: StubS3, source: Path
) -> None:
    stub.fault = lambda _number, _method, key: (403, "", {}) if key.endswith("logo.svg") else None
    code, out, err = run(capsys, "s3://bucket/x", "--source", str(source), "--endpoint-url", stub.url, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["ok"] is False
    assert [failure["key"] for failure in report["failed"]] == ["x/img/logo.svg"]
    assert report["not_tried"][-1] == "x/staticfiles.json"
    assert "x/img/logo.svg: Not allowed to put" in err

    code, out, err = run(capsys, "s3://bucket/x", "--source", str(source / "nowhere"), "--json")
    assert code == 1
    assert json.loads(out)["error"]["kind"] == "SourceError"


def test_many_failures_are_counted(capsys: pytest.CaptureFixture[str], stub: StubS3, tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.css": "x" for number in range(14)})
    stub.fault = lambda _number, method, _key: (400, "", {}) if method == "PUT" else None
    code, out, err = run(capsys, "s3://bucket/x", "--source", str(tmp_path), "--endpoint-url", stub.url)
    assert code == 1
    assert "Uploaded   0 files" in out
    assert "14 files could not be uploaded" in err
    assert "and 4 more" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing argument"),
        (("s3://bucket", "--unknown"), "No such option"),
        (("bucket",), "s3://BUCKET/PREFIX"),
        (("s3://bucket", "--workers", "many"), "not a valid integer"),
        (("s3://bucket", "--workers", "0"), "from 1 to 256"),
        (("s3://bucket", "--endpoint-url", "localhost"), "with its scheme"),
        (("s3://bucket", "--source", ".", "--settings", "x"), "one of the two"),
    ],
)
def test_misuse_is_exit_code_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_an_interruption_ends_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("static_sync.job.sync", interrupted)
    code, out, err = run(capsys, "s3://bucket/x")
    assert (code, out) == (1, "")
    assert err.startswith("Interrupted.")
    code, out, _ = run(capsys, "s3://bucket/x", "--json")
    assert code == 1
    assert json.loads(out)["error"]["kind"] == "KeyboardInterrupt"


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "  static-sync s3://my-site/static --dry-run\n" in out
    assert "Exit code: 0" in out


def test_start_up_imports_neither_botocore_nor_django_nor_more_than_it_needs(stub: StubS3, source: Path) -> None:
    script = f"""
import sys
import static_sync
assert not {{"http.client", "click", "hashlib"}} & set(sys.modules)
from static_sync.cli import main
try:
    main(["s3://bucket/static", "--source", {str(source)!r}, "--endpoint-url", {stub.url!r}, "--dry-run"])
except SystemExit as ended:
    assert ended.code == 0
heavy = {{"botocore", "boto3", "django", "asyncio", "concurrent", "email.mime", "xml.etree", "subprocess"}}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "[]\n")
