"""The context object that a handler gets beside its event."""

from __future__ import annotations

import json
import os
import time
from functools import cached_property
from types import SimpleNamespace
from typing import Any


class LambdaContext:
    """The attributes that AWS documents for Python's context object.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")

    streams = True
    """Whether the runtime takes an answer in pieces."""

    def __init__(self, headers: dict[str, str]) -> None:
        """``headers``: those of the Runtime API's answer to ``next``, names in lower case."""
        self._headers = headers
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.trace_id = headers.get("lambda-runtime-trace-id")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's time limit, never below 0."""
        deadline = int(self._headers.get("lambda-runtime-deadline-ms") or 0)
        return max(0, deadline - int(time.time() * 1000))

    @cached_property
    def client_context(self) -> Any:
        """What a mobile SDK sent along: ``client``, ``custom``, ``env``; None for an HTTP request."""
        sent = self._sent("lambda-runtime-client-context")
        if sent is None:
            return None
        client = sent.get("client")
        return SimpleNamespace(
            client=None if client is None else SimpleNamespace(**client), custom=sent.get("custom"), env=sent.get("env")
        )

    @cached_property
    def identity(self) -> Any:
        """The Cognito identity that authorised the request, its attributes None where there is none."""
        sent = self._sent("lambda-runtime-cognito-identity") or {}
        return SimpleNamespace(
            cognito_identity_id=sent.get("cognitoIdentityId"),
            cognito_identity_pool_id=sent.get("cognitoIdentityPoolId"),
        )

    def _sent(self, header: str) -> dict[str, Any] | None:
        value = self._headers.get(header)
        if not value:
            return None
        sent: dict[str, Any] = json.loads(value)
        return sent

    def log(self, message: object) -> None:
        """Write to the function's log."""
        print(message, flush=True)  # noqa: T201

    def __repr__(self) -> str:
        return f"LambdaContext(aws_request_id={self.aws_request_id!r}, function_name={self.function_name!r})"
