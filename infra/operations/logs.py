"""The functions' logs in CloudWatch: what there is, what is said of one request, and what comes.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..clients import Clients, asking, code_of
from .log_entries import parse

_OWN = "/aws/lambda/"
"""Before a function's name: the group that it writes to unless it is told another."""

LATE = 60_000
"""Milliseconds: a line that comes so much later than it was written is still shown while following."""

_WRITER = re.compile(r"\d{4}/\d\d/\d\d/(?P<function>[^\[]+)\[")
"""The name of a stream, where the group is not the function's own; there the function is left out:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html"""

_PAUSE = 2.0
"""Seconds between two looks; the account's quota is 5 to 25 a second, by region:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""


@dataclass(frozen=True)
class Line:
    """One event of a log: when (milliseconds since the epoch), of which function, and what was written."""

    time: int
    function: str
    message: str
    group: str
    stream: str
    id: str


class Logs:
    """The logs of some functions; ``functions`` are their names, by what a line is to call them.

    Functions may share a log group, also with others than these: each line's stream says whose it is. CloudWatch can
    choose streams by how their names begin, which is with a day; so the whole group is read, and chosen from here.
    """

    def __init__(self, clients: Clients, functions: Mapping[str, str]) -> None:
        self._client = clients("logs")
        self._groups = _groups(clients, functions)

    def read(self, start: int, pattern: str = "") -> list[Line]:
        """The lines since ``start`` (milliseconds since the epoch) that ``pattern`` lets through, by their times."""
        found = [
            line for group in self._groups for line in self._of_group(group, startTime=start, filterPattern=pattern)
        ]
        return sorted(found, key=_time)

    def of_request(self, request_id: str, start: int) -> list[Line]:
        """All lines of the requests whose id begins with ``request_id``.

        An environment serves one request at a time, so that what is written between the first line that names the
        request and the last belongs to it, ``print()`` included; save what names another one.
        """
        named = [line for line in self.read(start, f"%{request_id}%") if request_id in line.message]
        spans: dict[tuple[str, str], list[int]] = {}
        for line in named:
            spans.setdefault((line.group, line.stream), []).append(line.time)
        found: list[Line] = []
        for (group, stream), times in spans.items():
            between = self._of_group(group, logStreamNames=[stream], startTime=min(times), endTime=max(times))
            found += [line for line in between if (parse(line.message).request_id or request_id).startswith(request_id)]
        return sorted(found, key=_time)

    def follow(self, start: int, pattern: str = "") -> Iterator[Line]:
        """The lines since ``start``, then each that comes, once; goes on until it is closed.

        CloudWatch tells no order of arrival and takes lines in late, so every look goes back `LATE` before the newest
        line seen, and leaves out what was shown already.
        """
        seen: dict[tuple[str, str], int] = {}
        newest = start
        while True:
            for line in self.read(start, pattern):
                if (line.group, line.id) not in seen:
                    seen[line.group, line.id] = line.time
                    newest = max(newest, line.time)
                    yield line
            start = max(start, newest - LATE)
            seen = {key: shown for key, shown in seen.items() if shown >= start}
            time.sleep(_PAUSE)

    def _of_group(self, group: str, **parameters: Any) -> list[Line]:
        from botocore.exceptions import ClientError

        with asking(f"read the log {group}"):
            try:
                # A page may be empty and yet not the last.
                pages = self._client.get_paginator("filter_log_events").paginate(logGroupName=group, **parameters)
                return [
                    Line(event["timestamp"], kind, event["message"], group, event["logStreamName"], event["eventId"])
                    for page in pages
                    for event in page["events"]
                    if (kind := self._writer(group, event["logStreamName"])) is not None
                ]
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":  # a function that has not run yet may have no log
                    return []
                raise

    def _writer(self, group: str, stream: str) -> str | None:
        """Whose the stream is; None for a function that was not asked for."""
        kinds = self._groups[group]
        if match := _WRITER.match(stream):
            return kinds.get(match["function"])
        return kinds.get(group.removeprefix(_OWN), ",".join(kinds.values()))


def _groups(clients: Clients, functions: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The log groups, each with the functions that write there: what they are called, by their names."""
    found: dict[str, dict[str, str]] = {}
    for kind, name in functions.items():
        with asking(f"read the configuration of {name}"):
            configured = clients("lambda").get_function_configuration(FunctionName=name)
        group = configured.get("LoggingConfig", {}).get("LogGroup") or f"{_OWN}{name}"
        found.setdefault(group, {})[name] = kind
    return found


def _time(line: Line) -> int:
    return line.time


def errors(lines: Iterable[Line]) -> Iterator[Line]:
    """Those of ``lines`` that tell of an error."""
    return (line for line in lines if parse(line.message).is_error)
