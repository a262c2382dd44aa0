"""The sample shop, from the outside: each check is a process of its own, with every warning an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql import PostgreSQL

PROJECT = Path(__file__).parents[2] / "samples" / "bookshop"
TESTS_AT_LEAST = 75

# moto answers in the same process, so that no port is opened for a bucket that two commands need.
IN_A_BUCKET = """
import os, sys
from moto import mock_aws
with mock_aws():
    import boto3
    boto3.client("s3").create_bucket(Bucket=os.environ["FAAS_MEDIA_BUCKET"])
    import django
    from django.core.management import call_command
    django.setup()
    call_command("prepare")
    call_command("prepare")
    from catalogue.models import Book
    with Book.objects.get(slug="faust").sample.open("rb") as sample:
        assert sample.read(2) == b"PK"
    keys = [one.key for one in boto3.resource("s3").Bucket(os.environ["FAAS_MEDIA_BUCKET"]).objects.all()]
    assert len(keys) == 138, len(keys)
    assert "media/covers/\u6e90\u6c0f\u7269\u8a9e.jpg" in keys
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What every process here sees: its own data folder, and none of this machine's settings or credentials."""
    inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR") if key in os.environ}
    return inherited | {"BOOKSHOP_DATA_DIR": str(tmp_path), "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"}


def python(environment: dict[str, str], *arguments: str) -> str:
    """Standard output and error of `python ...` in the project; fails the test if the process fails."""
    run = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


def test_checks_pass_and_no_migration_is_missing(environment: dict[str, str]) -> None:
    assert "no issues" in python(environment, "manage.py", "check")
    assert "No changes detected" in python(environment, "manage.py", "makemigrations", "--check", "--dry-run")


def test_prepare_does_its_work_once(environment: dict[str, str], tmp_path: Path) -> None:
    first = python(environment, "manage.py", "prepare").splitlines()
    assert len(first) == 4
    assert "migrations applied" in first[0]
    assert first[1:] == [
        "catalogue: 69 books put on the shelf",
        "media:     138 covers and samples made",
        "admin:     created: admin / bookshop",
    ]
    second = python(environment, "manage.py", "prepare").splitlines()
    assert second == [
        "database:  up to date",
        "catalogue: has its books",
        "media:     all covers and samples there",
        "admin:     admin exists",
    ]
    assert len(list((tmp_path / "media" / "covers").iterdir())) == 69


def test_prepare_fills_a_bucket(environment: dict[str, str], tmp_path: Path) -> None:
    bucket = {
        "DJANGO_SETTINGS_MODULE": "bookshop.settings",
        "FAAS_MEDIA_BUCKET": "shop",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    # The warnings of boto3 and moto are theirs to mend.
    output = python(environment | bucket | {"PYTHONWARNINGS": "ignore"}, "-c", IN_A_BUCKET)
    assert "138 covers and samples made" in output
    assert "all covers and samples there" in output
    assert not (tmp_path / "media").exists()


def test_the_projects_own_tests_pass(environment: dict[str, str]) -> None:
    output = python(environment, "manage.py", "test", "--noinput")
    ran = re.search(r"^Ran (\d+) tests", output, re.MULTILINE)
    assert ran is not None, output
    assert int(ran[1]) >= TESTS_AT_LEAST


def test_the_project_imports_nothing_of_this_repository() -> None:
    packages = re.compile(r"^\s*(?:from|import) (?:adapter|static_sync|emulator|infra)\b", re.MULTILINE)
    files = list(PROJECT.rglob("*.py"))
    assert len(files) > 50
    assert [file.name for file in files if packages.search(file.read_text(encoding="utf-8"))] == []


def test_the_shop_runs_on_postgresql(environment: dict[str, str], postgresql: PostgreSQL) -> None:
    environment["DATABASE_URL"] = postgresql.url
    assert "migrations applied" in python(environment, "manage.py", "prepare")
    said = python(environment, "manage.py", "test", "--noinput")
    ran = re.search(r"^Ran (\d+) tests", said, re.MULTILINE)
    assert ran is not None, said
    assert int(ran[1]) >= TESTS_AT_LEAST
    backend = "from django.db import connection; connection.ensure_connection(); print(connection.vendor)"
    assert "postgresql" in python(environment, "manage.py", "shell", "-v0", "-c", backend)
