"""The S3 stub with a note of what it has carried out, and a say in whether it does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from static_sync.release import FOLDER
from tests.static_sync.stub import Answer, Fault, StubS3


class Service(StubS3):
    """``made`` counts operations asked for, ``carried`` those done, by key; both since `forget`.

    ``judge(operation, key, headers)`` is asked when a request has arrived whole; what it returns is the answer, with
    None the request is carried out. ``faulty`` counts requests that met a fault.
    """

    def __init__(self, page: int = 1000) -> None:
        self.made: Counter[str] = Counter()
        self.carried: Counter[tuple[str, str]] = Counter()
        self.faulty = 0
        self.judge: Callable[[str, str, dict[str, str]], Answer | None] = lambda _operation, _key, _headers: None
        super().__init__(page)

    def carry_out(
        self, operation: str, key: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Answer:
        self.made[operation] += 1
        refused = self.judge(operation, key, headers)
        if refused:
            return refused
        answer = super().carry_out(operation, key, query, headers, body)
        if answer.status < 300:
            self.carried[operation, key] += 1
        return answer

    def forget(self) -> None:
        """Begin to count anew."""
        with self.lock:
            self.made.clear()
            self.carried.clear()
            self.requests.clear()
            self.operations.clear()
            self.faulty = self.connections = 0

    def fails(self, fault: Fault, share: float, *, seed: int) -> None:
        """From now on, let that ``share`` of all requests meet the fault, by chance."""
        chance = random.Random(seed)

        def fault_of(_number: int, _method: str, _key: str) -> Fault | None:
            if chance.random() >= share:
                return None
            self.faulty += 1
            return fault

        self.fault = fault_of

    def heals(self) -> None:
        """No more faults."""
        self.fault = lambda _number, _method, _key: None
        self.judge = lambda _operation, _key, _headers: None

    def contents(self) -> dict[str, bytes]:
        """What visitors can see."""
        with self.lock:
            return {key: content for key, content in self.objects.items() if f"/{FOLDER}" not in key}

    def hold(self, other: Service) -> None:
        """Hold what ``other`` holds, and nothing else."""
        with self.lock, other.lock:
            self.objects, self.headers = other.objects.copy(), other.headers.copy()
            self.etags, self.modified = other.etags.copy(), other.modified.copy()


@contextmanager
def serving(page: int = 1000) -> Iterator[Service]:
    """A service for as long as the ``with`` lasts."""
    service = Service(page)
    try:
        yield service
    finally:
        service.stop()
