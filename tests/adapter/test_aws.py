"""The adapter's own client of AWS: signatures, kept connections, what is tried again, credentials."""

from __future__ import annotations

import calendar
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from adapter import aws
from adapter.exceptions import ConfigurationError, ServiceError

from .aws_services import Answered, Asked, Service, as_function, service, serving

__all__ = ["as_function", "service"]

NOW = 1_774_000_000
ARN = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Ashop-web%3A7"


@pytest.mark.parametrize("token", ["", "IQoJb3JpZ2luX2VjE//////////wEaCXVzLWVhc3QtMSJ="])
@pytest.mark.parametrize(
    ("service_name", "path", "body", "headers"),
    [
        (
            "sqs",
            "/",
            b'{"a":1}',
            {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage"},
        ),
        ("lambda", f"/2015-03-31/functions/{ARN}/invocations", b"", {"content-type": "application/json"}),
        ("ssm", "/", "ä\x00".encode(), {"x-amz-target": "  two  spaces "}),
    ],
)
def test_signatures_are_those_of_botocore(
    service_name: str, path: str, body: bytes, headers: dict[str, str], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = f"{service_name}.eu-west-1.amazonaws.com"
    ours = aws.sign(
        path, body, {**headers, "host": host}, aws.Keys("AKID", "s3cr/t", token), service_name, "eu-west-1", NOW
    )

    class At(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(NOW, tz)

        @classmethod
        def utcnow(cls) -> Any:
            return datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None)

    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: At.utcnow(), raising=False)
    request = AWSRequest("POST", f"https://{host}{path}", headers=headers, data=body)
    SigV4Auth(Credentials("AKID", "s3cr/t", token or None), service_name, "eu-west-1").add_auth(request)
    assert request.headers["X-Amz-Date"] == ours["x-amz-date"]
    assert request.headers["Authorization"] == ours["authorization"]
    assert request.headers.get("X-Amz-Security-Token") == ours.get("x-amz-security-token")


def client(service: Service, monkeypatch: pytest.MonkeyPatch, timeout: float = aws.TIMEOUT) -> aws.Client:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", service.url)
    monkeypatch.setattr(aws, "_FIRST_PAUSE", 0.001)
    return aws.Client("sqs", timeout)


def test_a_call_is_one_signed_request_of_the_json_protocol(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.answer = lambda asked: Answered(body=b'{"MessageId": "m-1"}')
    sqs = client(service, monkeypatch)
    assert sqs.call("AmazonSQS.SendMessage", {"MessageBody": "ä"}, version="1.0") == {"MessageId": "m-1"}
    sqs.close()
    [asked] = service.asked
    assert (asked.method, asked.path, asked.json) == ("POST", "/", {"MessageBody": "ä"})
    assert asked.headers["content-type"] == "application/x-amz-json-1.0"
    assert asked.headers["x-amz-target"] == "AmazonSQS.SendMessage"
    assert asked.headers["host"] == service.url.removeprefix("http://")
    moment = calendar.timegm(time.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
    assert abs(moment - time.time()) < 60
    scope = f"AKIDEXAMPLE/{asked.headers['x-amz-date'][:8]}/eu-west-1/sqs/aws4_request"
    assert f"Credential={scope}," in asked.headers["authorization"]


def test_one_connection_serves_many_calls(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    sqs = client(service, monkeypatch)
    for _ in range(3):
        sqs.call("AmazonSQS.SendMessage", {})
    sqs.close()
    assert (len(service.asked), service.connections) == (3, 1)


def test_a_connection_that_has_ended_unnoticed_is_replaced(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.answer = lambda asked: Answered(hang_up=True)
    sqs = client(service, monkeypatch)
    for _ in range(3):
        sqs.call("AmazonSQS.SendMessage", {})
    sqs.close()
    assert (len(service.asked), service.connections) == (3, 3)


def test_a_connection_that_was_not_used_for_long_is_not_trusted(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = client(service, monkeypatch)
    sqs.call("AmazonSQS.SendMessage", {})
    now = time.time()
    for moment in (now + aws.IDLE + 1, now - 60):  # a freeze; a clock that went back
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        sqs.call("AmazonSQS.SendMessage", {})
    sqs.close()
    assert (len(service.asked), service.connections) == (3, 3)


@pytest.mark.parametrize(
    "refusal",
    [
        Answered(500, b"no JSON"),
        Answered(503, b'{"__type": "com.amazonaws.sqs#ServiceUnavailable"}'),
        Answered(400, b'{"__type": "com.amazon.coral.service#RequestThrottled", "message": "slow down"}'),
        Answered(429, b"{}", {"x-amzn-ErrorType": "TooManyRequestsException:http://internal.amazon.com/"}),
    ],
)
def test_a_busy_service_is_asked_again(service: Service, monkeypatch: pytest.MonkeyPatch, refusal: Answered) -> None:
    service.answer = lambda asked: refusal if len(service.asked) < 3 else Answered(body=b'{"done": true}')
    sqs = client(service, monkeypatch)
    assert sqs.call("AmazonSQS.SendMessage", {}) == {"done": True}
    service.asked.clear()
    service.answer = lambda asked: refusal
    with pytest.raises(ServiceError):
        sqs.call("AmazonSQS.SendMessage", {})
    assert len(service.asked) == 3
    sqs.close()


def test_a_refusal_is_told_in_the_words_of_the_service(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = {"__type": "com.amazonaws.sqs#AccessDenied", "message": "not authorized to perform: sqs:SendMessage"}
    service.answer = lambda asked: Answered(403, json.dumps(denied).encode())
    sqs = client(service, monkeypatch)
    with pytest.raises(ServiceError, match="sqs refuses SendMessage: 403 AccessDenied not authorized") as caught:
        sqs.call("AmazonSQS.SendMessage", {})
    sqs.close()
    assert caught.value.code == "AccessDenied"
    assert len(service.asked) == 1


def test_a_service_out_of_reach_is_named_with_what_to_do(as_function: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    sqs = client(Service(url=f"http://127.0.0.1:{port}"), monkeypatch)
    with pytest.raises(ServiceError, match=f"sqs can't be reached at 127.0.0.1:{port} for SendMessage.*VPC endpoint"):
        sqs.call("AmazonSQS.SendMessage", {})


def test_a_service_that_says_nothing_is_given_up(as_function: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sqs = client(Service(url=f"http://127.0.0.1:{listener.getsockname()[1]}"), monkeypatch, 0.05)
        started = time.monotonic()
        with pytest.raises(ServiceError, match="TimeoutError"):
            sqs.call("AmazonSQS.SendMessage", {})
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-west-1", "sqs.eu-west-1.amazonaws.com"), ("cn-north-1", "sqs.cn-north-1.amazonaws.com.cn")],
)
def test_the_address_is_that_of_the_functions_region(
    as_function: None, monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    assert aws.Client("sqs")._endpoint.geturl() == f"https://{host}"


def test_without_a_region_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ConfigurationError, match="AWS_REGION is not set"):
        aws.Client("sqs")


class TestCredentials:
    @pytest.fixture(autouse=True)
    def none_in_the_environment(self, as_function: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setattr(aws, "_container", aws._Container())

    def answer(self, asked: Asked, seconds: float, number: int = 1) -> Answered:
        assert asked.headers["authorization"] == "the token"
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        found = {
            "AccessKeyId": f"AKID{number}",
            "SecretAccessKey": "hidden",
            "Token": "session",
            "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        }
        return Answered(body=json.dumps(found).encode())

    def test_with_snapstart_they_come_from_the_address_that_lambda_names(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the token")
        service.answer = lambda asked: self.answer(asked, 3600)
        assert aws.find_keys() == aws.Keys("AKID1", "hidden", "session")
        assert aws.find_keys() == aws.Keys("AKID1", "hidden", "session")
        [asked] = service.asked
        assert (asked.method, asked.path) == ("GET", "/v1/credentials")

    def test_new_ones_are_fetched_before_the_old_ones_end(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{service.url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the token")
        service.answer = lambda asked: self.answer(asked, 200, len(service.asked))
        assert aws.find_keys().access_key == "AKID1"
        assert aws.find_keys().access_key == "AKID2"

    @pytest.mark.parametrize("answered", [Answered(500), Answered(body=b"{}"), Answered(body=b"no JSON")])
    def test_an_answer_without_credentials_is_told(
        self, service: Service, monkeypatch: pytest.MonkeyPatch, answered: Answered
    ) -> None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.url)
        service.answer = lambda asked: answered
        with pytest.raises(ServiceError, match="credentials can't be had"):
            aws.find_keys()

    def test_where_there_are_none_it_is_said_how_to_get_some(self) -> None:
        with pytest.raises(ConfigurationError, match="aws configure export-credentials"):
            aws.find_keys()

    def test_they_are_not_shown(self) -> None:
        assert "hidden" not in repr(aws.Keys("AKID", "hidden", "session"))


def test_a_service_may_be_served_again_after_a_break(as_function: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that were closed for a snapshot are opened again by themselves."""
    with serving(Service()) as service:
        sqs = client(service, monkeypatch)
        sqs.call("AmazonSQS.SendMessage", {})
        [(connection, _)] = sqs._idle
        connection.close()
        sqs.call("AmazonSQS.SendMessage", {})
        sqs.close()
        assert service.connections == 2
