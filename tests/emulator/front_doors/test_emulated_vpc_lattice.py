"""VPC Lattice: both versions of the event's structure, as its documentation shows them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.front_doors import Failure, Rejected, VpcLattice
from emulator.front_doors.contract import Admitted, Refusal
from emulator.http import Request, Response

REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"
BAD_GATEWAY = Response(502, [("Content-Type", "text/plain")], b"Bad Gateway")
REQUEST = Request(
    "POST",
    "/a%20b/",
    "state=prod&multi=a&multi=D%2FF",
    (("Host", "shop.example"), ("Multi", "x"), ("multi", "y"), ("Content-Type", "application/json")),
    "λ".encode(),
    client="10.0.2.100",
    received=1724875399.5,
)


def event(version: int, **fields: Any) -> dict[str, Any]:
    return VpcLattice(version).event(Request(**{"method": "GET", "path": "/", **fields}), REQUEST_ID)


def answered(payload: bytes | dict[str, Any]) -> Response:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return VpcLattice().response(raw, event(2), REQUEST_ID)


def test_version_2_lists_headers_and_parameters() -> None:
    assert VpcLattice().event(REQUEST, REQUEST_ID) == {
        "version": "2.0",
        "path": "/a%20b/?state=prod&multi=a&multi=D%2FF",
        "method": "POST",
        "headers": {
            "content-type": ["application/json"],
            "host": ["shop.example"],
            "multi": ["x", "y"],
            "x-forwarded-for": ["10.0.2.100"],
            "x-forwarded-port": ["80"],
            "x-forwarded-proto": ["http"],
        },
        "queryStringParameters": {"multi": ["a", "D%2FF"], "state": ["prod"]},
        "body": "λ",
        "isBase64Encoded": False,
        "requestContext": {
            "serviceNetworkArn": "arn:aws:vpc-lattice:us-east-1:123456789012:servicenetwork/sn-0123456789abcdef0",
            "serviceArn": "arn:aws:vpc-lattice:us-east-1:123456789012:service/svc-0123456789abcdef0",
            "targetGroupArn": "arn:aws:vpc-lattice:us-east-1:123456789012:targetgroup/tg-0123456789abcdef0",
            "identity": {"sourceVpcArn": "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0123456789abcdef0"},
            "region": "us-east-1",
            "timeEpoch": "1724875399500000",
        },
    }


def test_version_1_joins_headers_and_keeps_the_last_parameter() -> None:
    assert VpcLattice(1).event(REQUEST, REQUEST_ID) == {
        "raw_path": "/a%20b/?state=prod&multi=a&multi=D%2FF",
        "method": "POST",
        "headers": {
            "content-type": "application/json",
            "host": "shop.example",
            "multi": "x, y",
            "x-forwarded-for": "10.0.2.100",
            "x-forwarded-port": "80",
            "x-forwarded-proto": "http",
        },
        "query_string_parameters": {"multi": "D%2FF", "state": "prod"},
        "body": "λ",
        "is_base64_encoded": False,
    }


@pytest.mark.parametrize("version", [1, 2])
def test_a_caller_can_forge_no_identity(version: int) -> None:
    headers = (("X-Amzn-Lattice-Identity", "Principal=root"), ("x-amzn-lattice-network", "x"), ("X-Kept", "yes"))
    seen = event(version, headers=headers)["headers"]
    assert "x-kept" in seen
    assert not any(name.startswith("x-amzn-lattice") for name in seen)


@pytest.mark.parametrize(("content_type", "text"), [("text/csv", True), ("image/png", False), (None, False)])
def test_text_goes_as_text_and_everything_else_as_base64(content_type: str | None, text: bool) -> None:
    headers = () if content_type is None else (("Content-Type", content_type),)
    made = event(2, method="POST", headers=headers, body=b"hi")
    assert (made["body"], made["isBase64Encoded"]) == (("hi", False) if text else ("aGk=", True))


def test_an_identity_that_is_known_is_told() -> None:
    admitted = Admitted(identity={"type": "AWS_IAM", "principal": "arn"})
    identity = VpcLattice().event(REQUEST, REQUEST_ID, admitted)["requestContext"]["identity"]
    assert identity["sourceVpcArn"]
    assert identity["principal"] == "arn"


def test_six_megabytes_are_the_limit_of_a_body() -> None:
    text = (("Content-Type", "text/plain"),)
    assert event(2, method="POST", headers=text, body=b"x" * 6_000_000)
    with pytest.raises(Rejected) as caught:
        event(2, method="POST", headers=text, body=b"x" * 6_000_001)
    assert caught.value.response.status == 413


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_is_a_bad_gateway(failure: Failure) -> None:
    for version in (1, 2):
        assert VpcLattice(version).failure(failure, event(version), REQUEST_ID) == BAD_GATEWAY


@pytest.mark.parametrize("payload", [b'"text"', b"null", b"[]", b"{}", b"{broken", b'{"statusCode":200,"body":{}}'])
def test_an_answer_that_is_none_is_a_bad_gateway(payload: bytes) -> None:
    assert answered(payload) == BAD_GATEWAY


def test_an_ordinary_answer_passes() -> None:
    answer = {"statusCode": 200, "headers": {"Set-cookie": "a=1", "Content-Type": "image/png"}, "isBase64Encoded": True}
    response = answered({**answer, "body": "iVBORwD/"})
    assert response == Response(200, [("Set-cookie", "a=1"), ("Content-Type", "image/png")], b"\x89PNG\0\xff")


def test_who_may_not_pass_is_told_so_in_an_auth_policys_words() -> None:
    response = VpcLattice().refuse(Refusal.DENIED, Request("GET", "/goodbye"), REQUEST_ID)
    assert response.status == 403
    assert response.body == (
        b"AccessDeniedException: User: anonymous is not authorized to perform: vpc-lattice-svcs:Invoke on resource: "
        b"arn:aws:vpc-lattice:us-east-1:123456789012:service/svc-0123456789abcdef0/goodbye because no service-based "
        b"policy allows the vpc-lattice-svcs:Invoke action"
    )
