"""What is known of an invocation, and by whom."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from adapter import current_invocation
from adapter.invocation import begin
from tests.adapter.invocations import REQUEST_ID, TRACE_ID, context, no_invocation, python, request  # noqa: F401


def test_there_is_no_invocation_before_the_first() -> None:
    assert current_invocation() is None


def test_an_invocation_is_found_by_tasks_and_threads() -> None:
    first = begin(context(aws_request_id="first"))
    found: dict[str, Any] = {}
    go_on = threading.Event()

    def look(name: str) -> None:
        go_on.wait(10)
        found[name] = current_invocation()

    async def main() -> None:
        task = asyncio.create_task(asyncio.to_thread(look, "asyncio"))
        await asyncio.sleep(0)
        second = begin(context(aws_request_id="second"))
        go_on.set()
        await task
        assert current_invocation() is second

    copied = threading.Thread(target=contextvars.copy_context().run, args=(look, "copied"))
    plain = threading.Thread(target=look, args=("plain",))
    copied.start()
    plain.start()
    asyncio.run(main())
    copied.join()
    plain.join()
    assert found["copied"] is found["asyncio"] is first
    assert found["plain"].request_id == "second"


def test_an_invocation_tells_what_the_context_holds() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:shop:live"
    at_hand = begin(context(tenant_id="acme", invoked_function_arn=arn, function_version="7"))
    assert (at_hand.request_id, at_hand.tenant_id) == (REQUEST_ID, "acme")
    assert (at_hand.function_arn, at_hand.function_version) == (arn, "7")
    assert (at_hand.method, at_hand.path) == ("", "")
    at_hand = begin(context(), request("POST", "café/\xff".encode("latin-1"), "/live/"))
    assert (at_hand.method, at_hand.path) == ("POST", "/live/caf\\xe9/\\xff")
    assert 0 <= at_hand.elapsed() < 5
    assert REQUEST_ID in repr(at_hand)


@pytest.mark.parametrize("nothing", [None, object()])
def test_an_invocation_without_a_context_knows_nothing_and_fails_nowhere(nothing: object) -> None:
    at_hand = begin(nothing)
    assert at_hand.request_id is at_hand.tenant_id is at_hand.trace_id is at_hand.function_arn is None


@pytest.mark.parametrize("header", [f"Root={TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=1", f"Self=1-2;Root={TRACE_ID}"])
def test_the_trace_is_taken_from_the_environment_and_kept(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    at_hand = begin(context())
    assert at_hand.trace_id == TRACE_ID
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-the-next")
    assert at_hand.trace_id == TRACE_ID
    assert begin(context()).trace_id == "1-the-next"
    assert begin(context(trace_id=header)).trace_id == TRACE_ID


def test_the_first_invocation_is_the_cold_one() -> None:
    assert [begin(context()).cold for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(("kind", "cold"), [("on-demand", True), ("provisioned-concurrency", False)])
def test_a_boot_that_was_paid_for_in_advance_makes_nothing_cold(kind: str, cold: bool) -> None:
    code = "from adapter.invocation import begin; print(begin(None).cold)"
    assert python(code, AWS_LAMBDA_INITIALIZATION_TYPE=kind).stdout == f"{cold}\n"
