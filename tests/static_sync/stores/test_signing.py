"""Our signatures against botocore's, request by request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from static_sync.stores.s3.credentials import Keys
from static_sync.stores.s3.signing import UNSIGNED_PAYLOAD, Request, Signer, encode_path, encode_query

NOW = datetime(2026, 7, 28, 23, 59, 58, tzinfo=UTC)
KEYS = Keys("AKIDEXAMPLE", "secret/+key")
ODD_KEYS = [
    "a b.css",
    "%41.css",
    "a+b",
    "x&;y",
    "~tilde",
    "grün/ß.css",
    "gru\u0308n",
    "a?b#c",
    "'quote'",
    "日本語",
    "a=b,c:d@e!$*()",
]


HOST = "site.s3.eu-central-1.amazonaws.com"


def signed(signer: Signer, request: Request, keys: Keys = KEYS, now: datetime = NOW) -> dict[str, str]:
    """The headers that are sent, after a check of all else."""
    first, *lines, end, nothing = signer.head(request, keys, now.timestamp() + 0.9).decode().split("\r\n")
    assert first == f"{request.method} {request.path}{'?' if request.query else ''}{request.query} HTTP/1.1"
    assert (end, nothing) == ("", "")
    headers = dict(line.split(":", 1) for line in lines)
    assert len(headers) == len(lines)
    assert headers["content-length"] == str(request.length)
    return headers


def botocore_headers(request: Request, headers: dict[str, str], keys: Keys, region: str) -> dict[str, str]:
    credentials = Credentials(keys.access_key, keys.secret_key, keys.session_token)
    signer = botocore.auth.S3SigV4Auth(credentials, "s3", region)
    url = f"https://{headers['host']}{request.path}{'?' if request.query else ''}{request.query}"
    theirs: Any = AWSRequest(method=request.method, url=url, headers=headers)
    # What botocore makes of the body is not compared here, but what it makes of the digest.
    signer.payload = lambda _request: request.payload  # type: ignore[method-assign,assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: NOW.replace(tzinfo=None))
        signer.add_auth(theirs)
    return {name.lower(): str(value) for name, value in theirs.headers.items()}


def assert_same(request: Request, keys: Keys = KEYS, region: str = "eu-central-1", host: str = HOST) -> None:
    ours = signed(Signer(host, region), request, keys)
    theirs = botocore_headers(request, {**request.headers, "host": host}, keys, region)
    assert ours["authorization"] == theirs["authorization"]
    assert ours["x-amz-date"] == theirs["x-amz-date"]
    assert ours["x-amz-content-sha256"] == request.payload
    assert ours.get("x-amz-security-token") == theirs.get("x-amz-security-token")


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_put_is_signed_as_botocore_signs_it(key: str) -> None:
    headers = {
        "if-none-match": "*",
        "x-amz-meta-cache-tag": "a,b",
        "content-type": "text/css; charset=utf-8",
        "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==",
        "cache-control": "public,  max-age=60",
    }
    assert_same(Request("PUT", encode_path(f"/{key}"), "", headers, "0" * 64, 7))


@pytest.mark.parametrize("prefix", ["static/", *ODD_KEYS])
def test_a_listing_is_signed_as_botocore_signs_it(prefix: str) -> None:
    query = encode_query({"list-type": "2", "prefix": prefix, "continuation-token": "a/b+c=="})
    assert_same(Request("GET", "/bucket/", query, {}, "0" * 64, 0), host="127.0.0.1:9000")


def test_a_session_token_is_signed_too() -> None:
    keys = Keys("AKIDEXAMPLE", "secret", "a-session-token")
    assert_same(Request("GET", "/", "", {}, "0" * 64, 0), keys)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(lambda key: "\0" not in key))
def test_any_key_is_signed_as_botocore_signs_it(key: str) -> None:
    assert_same(Request("PUT", encode_path(f"/bucket/{key}"), "", {}, UNSIGNED_PAYLOAD, 9), host="localhost:9000")


def test_keys_are_percent_encoded_as_botocore_encodes_them(moto_server: Any) -> None:
    class CaughtError(Exception):
        pass

    def catch(request: Any, **_: Any) -> None:
        raise CaughtError(request.url)

    client = moto_server.client
    client.meta.events.register("before-send.s3.PutObject", catch)
    try:
        for key in ODD_KEYS:
            with pytest.raises(CaughtError) as caught:
                client.put_object(Bucket="bucket", Key=key, Body=b"")
            assert str(caught.value) == f"{moto_server.url}{encode_path(f'/bucket/{key}')}"
    finally:
        client.meta.events.unregister("before-send.s3.PutObject", catch)


def test_a_signer_follows_the_time_and_the_credentials() -> None:
    request = Request("GET", "/", "", {}, "0" * 64, 0)
    signer = Signer("h", "eu-central-1")
    first = signed(signer, request)["authorization"]
    for now in (NOW + timedelta(days=1), NOW + timedelta(seconds=1)):
        headers = signed(signer, request, now=now)
        assert headers["authorization"] != first
        assert headers["x-amz-date"] == now.strftime("%Y%m%dT%H%M%SZ")
    assert signed(signer, request, Keys("AKIDEXAMPLE", "other"))["authorization"] != first
    assert signed(signer, request)["authorization"] == first


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_value_begins_a_header(value: str) -> None:
    request = Request("PUT", "/", "", {"cache-control": value + "\r\nx-evil: 1\n\n"}, "0" * 64, 0)
    headers = signed(Signer("h", "eu-central-1"), request)
    assert "x-evil" not in headers
    assert headers["cache-control"].split() == [*value.split(), "x-evil:", "1"]


def test_secrets_are_not_in_the_repr() -> None:
    assert repr(Keys("id", "hidden", "hidden too")) == "Keys(access_key='id')"
