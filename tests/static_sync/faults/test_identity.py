"""Credentials that expire while they are in use, and clocks that are wrong."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from itertools import count
from pathlib import Path

import pytest

from static_sync.release import make_lease, record_key
from tests.static_sync.faults.command import Command
from tests.static_sync.faults.service import Service
from tests.static_sync.faults.site import Site, assert_in_order, make_site, pages
from tests.static_sync.runs import PREFIX
from tests.static_sync.stub import Answer, refuse

HOUR = 3600


def expire_after(service: Service, requests: int) -> None:
    """Refuse all but the first requests."""
    numbers = count(1)
    service.judge = lambda _operation, _key, _headers: refuse(400, "ExpiredToken") if next(numbers) > requests else None


@pytest.mark.parametrize(("after", "is_first"), [(60, True), (95, False)], ids=["first", "next"])
def test_credentials_that_expire_midway(
    command: Command, service: Service, settled: Service, old: Site, new: Site, after: int, is_first: bool
) -> None:
    before = {} if is_first else old.contents
    if not is_first:
        service.hold(settled)
    service.forget()
    expire_after(service, after)
    ended = command.sync(new, "--json")
    report, arrived = ended.report, service.contents()
    done = {key for key, content in arrived.items() if before.get(key) != content}
    assert (ended.code, report["ok"]) == (1, False)
    assert "expired: get new ones and run again" in ended.err
    assert len(ended.err.splitlines()) < 20
    assert report["uploaded"] == len(done)
    assert {failure["key"] for failure in report["failed"]}.isdisjoint(done)
    assert done.isdisjoint(report["not_tried"])
    assert len(report["plan"]) == len(done) + len(report["failed"]) + len(report["not_tried"])
    if not is_first:
        assert_in_order(arrived, old, new)

    service.heals()
    again = command.sync(new, "--json")
    puts = [key for operation, key in service.carried.elements() if operation == "PutObject" and ".static" not in key]
    print(
        f"expired after {after} requests of {len(service.requests)}: {len(done)} files sent, {len(report['failed'])} "
        f"refused, {len(report['not_tried'])} not tried; the next run sent {again.report['uploaded']}, and rewrote the "
        f"headers of {again.report['headers_rewritten']}"
    )
    assert (again.code, again.err) == (0, "")
    assert sorted(puts) == sorted(key for key, content in new.contents.items() if before.get(key) != content)
    command.assert_settled(new)


def test_credentials_that_are_renewed_meanwhile_are_taken_up(
    command: Command, service: Service, new: Site, tmp_path: Path
) -> None:
    """As a role's are, by whoever writes the file of the profile."""
    file = tmp_path / "credentials"
    profile = "[default]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = {}\n"
    file.write_text(profile.format("first"))
    environment = {name: value for name, value in command.environment.items() if not name.startswith("AWS_")}
    command.environment = {
        **environment,
        "AWS_SHARED_CREDENTIALS_FILE": str(file),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    numbers = count(1)
    refused = 0

    def judge(_operation: str, _key: str, headers: dict[str, str]) -> Answer | None:
        nonlocal refused
        number = next(numbers)
        if number == 60:
            file.write_text(profile.format("second"))
        if number < 60 or headers["x-amz-security-token"] == "second":
            return None
        refused += 1
        return refuse(400, "ExpiredToken")

    service.judge = judge
    ended = command.sync(new)
    print(f"{refused} of {len(service.requests)} requests refused, exit {ended.code}")
    assert (ended.code, ended.err) == (0, "")
    assert 0 < refused <= 64
    assert service.contents() == new.contents


def keep_time(service: Service, ahead: float, *, tells: bool = True) -> None:
    """Let the service's clock be ``ahead`` of ours by so many seconds, and refuse what it finds ill-timed."""

    def judge(_operation: str, _key: str, headers: dict[str, str]) -> Answer | None:
        theirs = time.time() + ahead
        ours = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%S%z").timestamp()
        if abs(theirs - ours) <= 900:
            return None
        refused = refuse(403, "RequestTimeTooSkewed")
        refused.headers = {"Date": formatdate(theirs, usegmt=True) if tells else "unknown"}
        return refused

    service.judge = judge


@pytest.mark.parametrize("ahead", [-1000, 400 * 24 * HOUR])
def test_a_wrong_clock_costs_one_request(command: Command, service: Service, old: Site, ahead: float) -> None:
    keep_time(service, ahead)
    ended = command.sync(old)
    refused = sum(service.made.values()) - sum(service.carried.values())
    print(f"{ahead / HOUR:+.1f} h: {refused} of {len(service.requests)} requests refused, exit {ended.code}")
    assert (ended.code, ended.err) == (0, "")
    assert refused == 1
    assert len(service.requests) == len(old.contents) + 3
    assert service.contents() == old.contents


def test_a_clock_that_is_put_right_midway(command: Command, service: Service, old: Site) -> None:
    numbers = count(1)

    def begin(_operation: str, _key: str, _headers: dict[str, str]) -> None:
        if next(numbers) == 60:
            keep_time(service, HOUR)

    service.judge = begin
    ended = command.sync(old)
    refused = sum(service.made.values()) - sum(service.carried.values())
    print(f"{refused} of {len(service.requests)} requests refused, exit {ended.code}")
    assert (ended.code, ended.err) == (0, "")
    assert 1 <= refused <= 64
    assert service.contents() == old.contents


def test_a_wrong_clock_that_cannot_be_put_right_is_explained(command: Command, service: Service, old: Site) -> None:
    keep_time(service, HOUR, tells=False)
    ended = command.sync(old)
    print(f"{len(service.requests)} requests, exit {ended.code}: {ended.err.strip()}")
    assert ended.code == 1
    assert "This machine's clock is wrong by more than 15 minutes: set it, and run again." in ended.err
    assert len(service.requests) == 1
    assert service.contents() == {}


def test_a_prune_under_way_is_waited_for_whatever_our_clock_says(
    command: Command, service: Service, settled: Service, old: Site
) -> None:
    """Its lease was taken just now by the service's clock, which is an hour behind ours."""
    service.hold(settled)
    keep_time(service, -HOUR)
    lease = record_key(PREFIX, 2)
    service.objects[lease], service.modified[lease] = make_lease().encode(), time.time() - HOUR
    process = command.start(command.words(old))
    with process:
        waited = False
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            waited = True
        over = record_key(PREFIX, 3)
        service.objects[over], service.modified[over] = service.objects[record_key(PREFIX, 1)], time.time() - HOUR
        ended = command.end_of(process)
    print(f"waited: {waited}, exit {ended.code}")
    assert ended.code == 0
    assert waited


def test_a_prune_counts_days_by_the_clock_of_the_service(command: Command, service: Service, tmp_path: Path) -> None:
    """Five releases within a minute, and ours is thirty days ahead: all of them were in service today."""
    sites = [make_site(tmp_path / version, pages(version, 10)) for version in ("a", "b", "c", "d", "e")]
    keep_time(service, -30 * 24 * HOUR)
    for site in sites:
        assert command.sync(site).code == 0
    month_ago = (datetime.now(UTC) - timedelta(days=30)).timestamp()
    service.modified = dict.fromkeys(service.modified, month_ago)
    before = service.contents()
    ended = command("prune")
    print(f"{len(before) - len(service.contents())} of {len(before)} objects deleted, exit {ended.code}")
    assert ended.code == 0
    assert service.contents() == before
