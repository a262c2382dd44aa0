"""Several processes at once, and a service that has nothing to keep them apart with."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from static_sync.release import FOLDER, Record
from tests.static_sync.faults.command import Command, Ended
from tests.static_sync.faults.service import Service, serving
from tests.static_sync.faults.site import Site, assert_serves, assert_whole, make_site, pages
from tests.static_sync.runs import PREFIX
from tests.static_sync.stub import refuse

DAY = 24 * 3600
ROUNDS = 10
_LANES = 5


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> list[Site]:
    return [make_site(tmp_path_factory.mktemp(version), pages(version, 30)) for version in ("a", "b", "c", "d")]


def newest_record(service: Service) -> Record:
    records = [
        (key, Record.decode(content, key))
        for key, content in sorted(service.objects.items())
        if key.startswith(PREFIX + FOLDER)
    ]
    return [record for _, record in records if record.kind == "release"][-1]


def winner_of(service: Service, sites: Sequence[Site]) -> Site:
    """The site that the newest record tells of, which is there, whole."""
    names = newest_record(service).names()
    (winner,) = [site for site in sites if {PREFIX + name for name in names} == site.contents.keys()]
    contents = service.contents()
    assert {key: contents.get(key) for key in winner.contents} == winner.contents
    return winner


def at_once(command: Command, words: Sequence[list[str]], chance: random.Random) -> list[Ended]:
    """Start them within a hundredth of a second or so of each other, and see how they end."""
    processes = []
    for line in words:
        processes.append(command.start(line))
        time.sleep(chance.uniform(0, 0.03))
    with ThreadPoolExecutor(len(processes)) as pool:
        ended = list(pool.map(command.end_of, processes))
    for process in processes:
        process.__exit__(None, None, None)
    for one in ended:
        assert one.code == 0 or (one.code == 1 and "Other runs " in one.err), one
    return ended


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_at_once(settled: Service, old: Site, sites: list[Site], tmp_path: Path, processes: int) -> None:
    def once(number: int) -> tuple[list[int], Site]:
        chance = random.Random(number)
        with serving() as service:
            command = Command(service, tmp_path, development=False)
            is_empty = number % 3 == 0
            if not is_empty:
                service.hold(settled)
            pushed = chance.sample(sites, processes)
            # As on a real network, most of a run's time is that of its transfer.
            service.judge = lambda _operation, _key, _headers: time.sleep(0.001)
            ended = at_once(command, [command.words(site) for site in pushed], chance)
            service.heals()
            contents = service.contents()
            assert_whole(contents, old, *pushed)
            assert_serves(contents, *pushed, *([] if is_empty else [old]))
            winner = winner_of(service, pushed)
            command.assert_settled(winner)
            return [one.code for one in ended], winner

    with ThreadPoolExecutor(2) as pool:
        rounds = list(pool.map(once, range(ROUNDS)))
    codes = [code for made, _ in rounds for code in made]
    print(
        f"{ROUNDS} times {processes} processes: {codes.count(0)} done, {codes.count(1)} gave up; "
        f"{len({winner.folder for _, winner in rounds})} of {len(sites)} releases won"
    )
    assert codes.count(0) >= ROUNDS


@pytest.fixture(scope="module")
def long_ago(old: Site, sites: list[Site], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with three releases of thirty, twenty and ten days ago."""
    with serving() as service:
        command = Command(service, tmp_path_factory.mktemp("home"))
        for days, site in ((30, sites[0]), (20, sites[1]), (10, old)):
            assert command.sync(site).code == 0
            for key in service.objects:
                if service.modified[key] > time.time() - DAY:
                    service.modified[key] -= days * DAY
        yield service


def test_a_prune_among_them(long_ago: Service, old: Site, new: Site, sites: list[Site], tmp_path: Path) -> None:
    """What they bring back is what the prune deletes: hashed files of a release of last month."""

    def once(number: int) -> tuple[list[int], int]:
        chance = random.Random(number)
        with serving() as service:
            command = Command(service, tmp_path, development=False)
            service.hold(long_ago)
            service.judge = lambda _operation, _key, _headers: time.sleep(0.001)
            prune = command.words(None, "prune", "--keep-releases", "1", "--grace-days", "1")
            lines = [command.words(sites[0]), command.words(new), prune]
            chance.shuffle(lines)
            before = service.contents()
            service.forget()
            ended = at_once(command, lines, chance)
            service.heals()
            contents = service.contents()
            deleted = service.made["DeleteObjects"] and len(before.keys() - contents.keys())
            assert_whole(contents, old, new, *sites)
            assert_serves(contents, old, sites[0], new)
            command.assert_settled(winner_of(service, [sites[0], new]))
            return [one.code for one in ended], deleted

    with ThreadPoolExecutor(_LANES) as pool:
        rounds = list(pool.map(once, range(ROUNDS)))
    codes = [code for made, _ in rounds for code in made]
    print(
        f"{ROUNDS} times 2 processes and a prune: {codes.count(0)} done, {codes.count(1)} gave up; "
        f"deleted {[deleted for _, deleted in rounds]} objects"
    )
    assert any(deleted for _, deleted in rounds)


def test_a_service_without_conditional_writes(
    command: Command, service: Service, old: Site, new: Site, tmp_path: Path
) -> None:
    service.conditions = refuse(501, "NotImplemented")
    assert command.sync(old).code == 0
    service.forget()
    ended = command.sync(new)
    refused = len(service.requests) - sum(service.made.values())
    before = service.objects.copy()
    pruned = command("prune", "--keep-releases", "1", "--grace-days", "0", "--max-delete", "1000")
    print(
        f"{refused} of {len(service.requests)} requests refused, exit {ended.code}: {ended.out.splitlines()[0]}; "
        f"prune: exit {pruned.code}, {pruned.err.strip()}"
    )
    assert (ended.code, ended.err) == (0, "")
    assert service.contents() == {**old.contents, **new.contents}
    assert refused <= 64
    assert pruned.code == 1
    assert "conditional writes" in pruned.err
    assert service.objects == before
    command.assert_settled(new)
    # Two runs at once are not safe there, which whoever deploys should know.
    assert "Note " in ended.out
    assert "does not know conditional writes" in ended.out


def test_a_service_that_pays_no_heed_to_conditions(command: Command, service: Service, old: Site, new: Site) -> None:
    """It takes them, and does as if there were none: a prune finds that out before it deletes."""

    def judge(_operation: str, _key: str, headers: dict[str, str]) -> None:
        for name in ("if-match", "if-none-match"):
            headers.pop(name, None)

    service.judge = judge
    for site in (old, new):
        assert command.sync(site).code == 0
    before = service.objects.copy()
    ended = command("prune", "--keep-releases", "1", "--grace-days", "0", "--max-delete", "1000")
    print(
        f"{len(before) - len(service.objects)} of {len(before)} objects deleted, exit {ended.code}: {ended.err.strip()}"
    )
    assert ended.code == 1
    assert "conditional writes" in ended.err
    assert service.objects == before
    command.assert_settled(new)
