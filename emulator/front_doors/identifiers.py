"""The ids and times an event shows, each derived from the request so that the same request gives the same event."""

from __future__ import annotations

import base64
import functools
import time
import zlib

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@functools.lru_cache(maxsize=64)
def extended_id(request_id: str) -> str:
    """The 16 characters that API Gateway shows as `extendedRequestId` and an HTTP API as `requestId`."""
    return base64.urlsafe_b64encode(bytes.fromhex(request_id.replace("-", "")[:22])).decode("ascii")


def trace_root(request_id: str, received: float) -> str:
    """A new trace: https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-traceids"""
    return f"1-{int(received):08x}-{request_id.replace('-', '')[8:]}"


def resource_id(path: str) -> str:
    """The 6 characters a REST API shows as a resource's ``resourceId``."""
    return f"{zlib.crc32(path.encode()):08x}"[:6]


@functools.lru_cache(maxsize=8)
def log_time(second: int) -> str:
    """``second`` since the epoch as access logs write it, whatever the locale: `10/Jul/2026:19:19:04 +0000`."""
    moment = time.gmtime(second)
    return time.strftime(f"%d/{_MONTHS[moment.tm_mon - 1]}/%Y:%H:%M:%S +0000", moment)
