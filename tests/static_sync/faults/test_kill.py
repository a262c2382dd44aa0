"""``kill -9`` at fifty moments of a run."""

from __future__ import annotations

import random
import signal
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.static_sync.faults.command import Command
from tests.static_sync.faults.service import Service, serving
from tests.static_sync.faults.site import Site, assert_in_order

KILLS = 50
_LANES = 2
_LATENCY = 0.002  # seconds


@dataclass(frozen=True)
class Kill:
    """When it came, in seconds, what had been asked for until then and how many new objects were there."""

    moment: float
    stage: str
    arrived: int


class Lane:
    """One of several places where the same is done at once, each with a service of its own."""

    def __init__(self, service: Service, settled: Service, command: Command, old: Site, new: Site) -> None:
        self._service, self._settled, self._command, self._old, self._new = service, settled, command, old, new
        self.whole_run = statistics.median(self._measure() for _ in range(3))

    def _measure(self) -> float:
        self._begin()
        began = time.monotonic()
        assert self._command.sync(self._new).code == 0
        return time.monotonic() - began

    def _begin(self) -> None:
        self._service.hold(self._settled)
        self._service.forget()
        # As on a real network, most of a run's time is that of its transfer.
        self._service.judge = lambda _operation, _key, _headers: time.sleep(_LATENCY)

    def kill(self, share: float) -> Kill:
        """Kill a run when that ``share`` of its time is over, and see what it leaves."""
        self._begin()
        with self._command.start(self._command.words(self._new)) as process:
            try:
                process.wait(share * self.whole_run)
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
        contents = self._service.contents()
        assert_in_order(contents, self._old, self._new)
        if process.returncode == 0:
            stage = "ended"
        elif not self._service.made["PutObject"]:
            stage = "before"
        elif contents == {**self._old.contents, **self._new.contents}:
            stage = "after"
        else:
            stage = "during"
        self._service.heals()
        ended = self._command.sync(self._new)
        assert (ended.code, ended.err) == (0, "")
        assert self._service.contents() == {**self._old.contents, **self._new.contents}
        self._command.assert_settled(self._new)
        arrived = sum(self._old.contents.get(key) != content for key, content in contents.items())
        return Kill(share * self.whole_run, stage, arrived)


def test_a_kill_at_any_moment_leaves_both_releases_whole_and_the_next_run_completes(
    settled: Service, old: Site, new: Site, tmp_path: Path
) -> None:
    chance = random.Random(9)
    shares = [(number + chance.random()) / KILLS for number in range(KILLS)]

    def work(shares: list[float]) -> list[Kill]:
        with serving() as service:
            lane = Lane(service, settled, Command(service, tmp_path, development=False), old, new)
            return [lane.kill(share) for share in shares]

    with ThreadPoolExecutor(_LANES) as pool:
        kills = [kill for made in pool.map(work, [shares[lane::_LANES] for lane in range(_LANES)]) for kill in made]
    stages = {stage: sum(kill.stage == stage for kill in kills) for stage in ("before", "during", "after", "ended")}
    arrived = sorted(kill.arrived for kill in kills if kill.stage == "during")
    print(
        f"{len(kills)} kills within {max(kill.moment for kill in kills):.2f} s: {stages['before']} before the "
        f"transfer, {stages['during']} during it (with {arrived} new objects), {stages['after']} after it, "
        f"{stages['ended']} too late"
    )
    assert len(kills) == KILLS
    assert stages["during"] >= KILLS // 10
