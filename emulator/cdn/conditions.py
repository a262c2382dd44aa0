"""What a viewer is sent of an answer that is kept: all of it, parts, or the news that it has it already.

https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RangeGETs.html
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

from ..http import Request, Response

_ETAG = re.compile(r'(?:W/)?"[^"]*"')
_RANGE = re.compile(r"(\d*)-(\d*)", re.ASCII)
# https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5
_OF_UNCHANGED = frozenset({"cache-control", "content-location", "date", "etag", "expires", "last-modified", "vary"})


def chosen(request: Request, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Response:
    """The answer to ``request`` out of a whole one."""
    about = {name.lower(): value for name, value in headers}
    etag, modified = about.get("etag"), _seconds(about.get("last-modified"))
    if status == 200:
        verdict = _verdict(request, etag, modified)
        if verdict == 304:
            return Response(304, [(name, value) for name, value in headers if name.lower() in _OF_UNCHANGED])
        if verdict is not None:
            return Response(verdict, [(name, value) for name, value in headers if name.lower() in {"date", "etag"}])
        if request.method == "GET" and _still_whole(request, etag, about.get("last-modified")):
            spans = _spans(request.header("range"), len(body))
            if spans is not None:
                return _parts(spans, headers, body)
    if request.method == "HEAD":
        return Response(status, [*headers, ("Content-Length", str(len(body)))])
    return Response(status, list(headers), body)


def _verdict(request: Request, etag: str | None, modified: float | None) -> int | None:
    """412 or 304 where a condition decides it."""
    match, since = request.header_values("if-match"), _seconds(request.header("if-unmodified-since"))
    if match:
        if not _listed(match, etag, weakly=False):
            return 412
    elif since is not None and modified is not None and modified > since:
        return 412
    none, since = request.header_values("if-none-match"), _seconds(request.header("if-modified-since"))
    if none:
        return 304 if _listed(none, etag, weakly=True) else None
    return 304 if since is not None and modified is not None and modified <= since else None


def _listed(values: Sequence[str], etag: str | None, *, weakly: bool) -> bool:
    """Whether the ETag is among those listed; ``*`` stands for any."""
    text = ",".join(values)
    if text.strip() == "*":
        return True
    if etag is None or not (weakly or etag.startswith('"')):
        return False
    if weakly:
        return etag.removeprefix("W/") in {found.removeprefix("W/") for found in _ETAG.findall(text)}
    return etag in _ETAG.findall(text)


def _still_whole(request: Request, etag: str | None, modified: str | None) -> bool:
    """Whether ``If-Range``, where there is one, says that the viewer's other parts are of this answer."""
    condition = request.header("if-range")
    if condition is None:
        return True
    if condition.startswith('"'):
        return condition == etag
    return condition == modified


def _spans(header: str | None, size: int) -> list[tuple[int, int]] | None:
    """First byte and the one after the last of each range; none of them: not satisfiable; None: send everything.

    Everything is also sent for ranges that CloudFront does not take: not in ascending order, overlapping or unreadable.
    """
    unit, _, text = (header or "").partition("=")
    if unit.strip().lower() != "bytes":
        return None
    spans: list[tuple[int, int]] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None or match[0] == "-":
            return None
        if match[1]:
            first, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
            if match[2] and int(match[2]) < first:
                return None
        else:
            first, end = max(0, size - int(match[2])), size
        if spans and first < spans[-1][1]:
            return None
        if first < end:
            spans.append((first, end))
    return spans


def _parts(spans: Sequence[tuple[int, int]], headers: Sequence[tuple[str, str]], body: bytes) -> Response:
    size = len(body)
    if not spans:
        return Response(416, [("Content-Range", f"bytes */{size}")])
    if len(spans) == 1:
        first, end = spans[0]
        return Response(206, [*headers, ("Content-Range", f"bytes {first}-{end - 1}/{size}")], body[first:end])
    boundary = secrets.token_hex(12)
    kind = next((value for name, value in headers if name.lower() == "content-type"), "application/octet-stream")
    pieces = [
        f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {first}-{end - 1}/{size}\r\n\r\n".encode()
        + body[first:end]
        + b"\r\n"
        for first, end in spans
    ]
    others = [(name, value) for name, value in headers if name.lower() != "content-type"]
    return Response(
        206,
        [*others, ("Content-Type", f"multipart/byteranges; boundary={boundary}")],
        b"".join(pieces) + f"--{boundary}--\r\n".encode(),
    )


def _seconds(date: str | None) -> float | None:
    """Since the epoch; None for what is no date."""
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, OverflowError):
        return None
