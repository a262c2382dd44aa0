"""Who may ask the console: this machine's own pages and tools, and no other site that a browser here has open.

A site elsewhere could have its own name lead to this machine (DNS rebinding), so a name that the emulator was not
started with is none of its own; an address or ``localhost`` can't be had by anybody else. And a page of another origin
can send a POST without being asked whether it may, but not without naming itself:
https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from ..http import Request

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[0-9a-zA-Z._-]+)(:[0-9]{1,5})?")
_OWN_PAGE = {None, "same-origin", "none"}


def refusal(request: Request, hosts: frozenset[str]) -> str | None:
    """Why ``request`` gets no answer, for the person who reads it; None where it may pass.

    ``hosts`` are the names, in lower case, that count besides ``localhost`` and addresses.
    """
    named = request.header_values("host")
    if len(named) != 1 or not _is_own(named[0], hosts):
        return (
            f"The console does not answer to the host {', '.join(named) or '(none)'}: another site could have made "
            "that name lead here. Open it by localhost, by an IP address, or by the name that --host was given."
        )
    if request.method in {"GET", "HEAD"}:
        return None
    origin = request.header("origin")
    if origin is None:
        ours = request.header("sec-fetch-site") in _OWN_PAGE
    else:
        ours = urlsplit(origin).netloc.lower() == named[0].lower()
    if ours:
        return None
    return f"Only the console's own page may ask for this, not a page of {origin or 'another site'}."


def _is_own(host: str, hosts: frozenset[str]) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or name in hosts:
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
