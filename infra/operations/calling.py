"""Calling a function, and waiting for as long as it may take.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import base64
import json
import os
import socket
from typing import Any

from emulator.log import printable

from ..clients import Clients, asking, code_of
from ..exceptions import InvocationFailed
from ..site import ALIAS
from .log_entries import parse

LONGEST = 900
"""Seconds: the longest that a function can run."""

_PROBE_EVERY = 45
"""Seconds of silence after which the connection is probed, less than gateways on the way allow: AWS's own forget it
after 350 s. https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html"""


def call(clients: Clients, function: str, event: bytes) -> bytes:
    """What the version of ``function`` that serves returns for ``event``; both are JSON.

    The function is called once, as nobody knows what it has done when the connection breaks. Raises `InvocationFailed`
    where it could not be called, raised an exception, or did not answer in time; `AwsError` for what else AWS refuses.
    """
    from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

    client = clients("lambda", read_timeout=LONGEST + 60, retries=0)
    client.meta.events.register("before-send.lambda.Invoke", _keeping_alive, unique_id="django-faas-keep-alive")
    with asking(f"call the function {function}"):
        try:
            answer = client.invoke(FunctionName=function, Qualifier=ALIAS, Payload=event, LogType="Tail")
            payload: bytes = answer["Payload"].read()
        except ClientError as error:
            if refusal := _refusal(function, error):
                raise InvocationFailed(refusal) from error
            raise
        except (ConnectionClosedError, ReadTimeoutError) as error:
            raise InvocationFailed(
                f"The connection to {function} ended before there was an answer: {error}. The function may still run: "
                "see what it does before you call it again, by django-faas logs --follow"
            ) from error
    if answer.get("FunctionError"):
        log = base64.b64decode(answer.get("LogResult", "")).decode("utf-8", "replace")
        raise InvocationFailed(_explained(payload, log, answer["ResponseMetadata"].get("RequestId", "")))
    return payload


def _keeping_alive(request: Any, **_: Any) -> Any:
    """Sends ``request`` over a connection that probes while it is silent.

    boto3's own ``tcp_keepalive`` leaves the first probe to the system, and Linux waits two hours:
    """
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies

    connect: Any = URLLib3Session  # the published types know neither paths nor pairs
    session = connect(
        verify=os.environ.get("AWS_CA_BUNDLE") or True,
        proxies=get_environ_proxies(request.url),
        timeout=(60, LONGEST + 60),
        socket_options=keep_alive_options(),
    )
    try:
        return session.send(request)
    finally:
        session.close()


def keep_alive_options() -> list[tuple[int, int, int]]:
    """Options of a socket that has its connection probed after `_PROBE_EVERY` seconds of silence."""
    # macOS has another name for it.
    idle = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    if idle is not None:
        options.append((socket.IPPROTO_TCP, idle, _PROBE_EVERY))
    return [*options, (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_EVERY)]


def _refusal(function: str, error: Any) -> str:
    """What Lambda means by ``error``, where there is more to say of it than `asking` does; else nothing."""
    message = error.response.get("Error", {}).get("Message", "") or code_of(error)
    match code_of(error):
        case "ResourceNotFoundException":
            return (
                f"There is no version of {function} behind the alias {ALIAS}: {message}. Deploy once: "
                "django-faas deploy"
            )
        case "TooManyRequestsException":
            return (
                f"{function} was not called: as many calls as are allowed are under way ({message}). Try again; if "
                "that lasts, raise the function's reserved concurrency, or the account's limit in Service Quotas."
            )
        case "RequestTooLargeException":
            return (
                f"{function} was not called: the event is larger than the 6 MB that Lambda takes ({message}). Put the "
                "data into the media bucket, and send its name."
            )
        case _:
            return ""


def _explained(payload: bytes, log: str, request_id: str) -> str:
    """What to say of a function that failed: its error, and the end of its log where the error has no traceback."""
    try:
        said = json.loads(payload)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {"errorMessage": payload.decode("utf-8", "replace")}
    kind, message = said.get("errorType") or "Error", said.get("errorMessage") or "it gave no reason"
    lines = [f"The function failed: {kind}: {message}", *(said.get("stackTrace") or ())]
    if len(lines) == 1 and log.strip():
        entries = [parse(line) for line in log.splitlines()]
        told = [f"  {entry.text}\n{entry.stack}" for entry in entries if not entry.is_routine]
        lines += ["The end of its log:", *told]
    lines.append(f"All of its log: django-faas logs --request {request_id}")
    # An exception quotes what somebody has sent.
    return "\n".join(printable(line) for part in lines for line in str(part).rstrip().splitlines())
