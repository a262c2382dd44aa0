"""A service, and a network, that fail now and then: all arrives, whole and once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.static_sync.faults.command import Command
from tests.static_sync.faults.service import Service, serving
from tests.static_sync.faults.site import Site
from tests.static_sync.stub import Fault


@pytest.mark.parametrize(
    ("fault", "share"),
    [
        ("SlowDown", 0.05),
        ("SlowDown", 0.30),
        ("reset", 0.10),
        ("lost", 0.10),
        ("cut", 0.10),
        ("close", 0.20),
    ],
)
def test_a_share_of_all_requests_fails(
    command: Command, service: Service, settled: Service, old: Site, new: Site, fault: Fault, share: float
) -> None:
    service.hold(settled)
    service.forget()
    service.fails(fault, share, seed=1)
    ended = command.sync(new, "--json")
    service.heals()
    print(
        f"{share:.0%} {fault}: {service.faulty} of {len(service.requests)} requests over {service.connections} "
        f"connections met it, {ended.report['uploaded']} of {len(new.contents)} files sent, exit {ended.code}"
    )
    assert (ended.code, ended.err) == (0, "")
    assert service.faulty > 0
    assert service.contents() == {**old.contents, **new.contents}
    written = [number for (operation, _), number in service.carried.items() if operation == "PutObject"]
    assert max(written) == 1
    command.assert_settled(new)


def test_a_listing_that_is_cut_short_is_never_taken_for_a_whole_one(
    settled: Service, old: Site, new: Site, tmp_path: Path
) -> None:
    """Cut on the connection, and cut within a body of the right length."""
    with serving(page=40) as service:
        command = Command(service, tmp_path)
        service.hold(settled)
        service.forget()
        whole = service.listing("static/").decode()
        plan: dict[int, Fault] = {
            1: "cut",
            2: (200, whole[: len(whole) // 2], {}),
            3: (200, "", {}),
            5: "cut",
            6: (200, whole[:-20], {}),
            8: "reset",
        }

        def fault(_number: int, method: str, key: str) -> Fault | None:
            met = plan.get(service.count("GET")) if method == "GET" and not key else None
            service.faulty += met is not None
            return met

        service.fault = fault
        ended = command.sync(new, "--json")
        print(
            f"{service.faulty} of {service.count('GET')} listings of 40 keys cut short, "
            f"{service.made['PutObject']} puts, exit {ended.code}"
        )
        assert (ended.code, ended.err) == (0, "")
        assert service.faulty == 6
        sent = {key for operation, key in service.carried if operation == "PutObject" and "/.static-sync/" not in key}
        assert sent == {key for key, content in new.contents.items() if old.contents.get(key) != content}
        assert service.contents() == {**old.contents, **new.contents}


def test_a_listing_that_stays_cut_short_changes_nothing(
    command: Command, service: Service, settled: Service, old: Site, new: Site
) -> None:
    service.hold(settled)
    service.forget()
    half = service.listing("static/").decode()[:3000]
    service.fault = lambda _number, _method, key: None if key else (200, half, {})
    ended = [command.sync(new), command("prune", "--grace-days", "0", "--keep-releases", "1")]
    print(
        f"{len(service.requests)} requests of a sync and a prune, exit {[one.code for one in ended]}: {ended[0].err!r}"
    )
    for one in ended:
        assert (one.code, one.out) == (1, "")
        assert "did not answer a listing as S3 does" in one.err
    assert {method for method, _ in service.requests} == {"GET"}
    assert service.contents() == old.contents
