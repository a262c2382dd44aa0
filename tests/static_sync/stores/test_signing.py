"""Our signatures against botocore's, request by request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from static_sync.stores.s3.credentials import Keys
from static_sync.stores.s3.signing import SignedRequest, Signer, encode_path, encode_query

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


def botocore_headers(request: SignedRequest, keys: Keys, region: str) -> dict[str, str]:
    credentials = Credentials(keys.access_key, keys.secret_key, keys.session_token)
    signer = botocore.auth.S3SigV4Auth(credentials, "s3", region)
    url = f"https://{request.headers['host']}{request.path}{'?' if request.query else ''}{request.query}"
    theirs: Any = AWSRequest(method=request.method, url=url, headers=dict(request.headers))
    # What botocore makes of the body is not compared here, but what it makes of the digest.
    signer.payload = lambda _request: request.payload_sha256  # type: ignore[method-assign,assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: NOW.replace(tzinfo=None))
        signer.add_auth(theirs)
    return {name.lower(): str(value) for name, value in theirs.headers.items()}


def assert_same(request: SignedRequest, keys: Keys = KEYS, region: str = "eu-central-1") -> None:
    ours = Signer(region).sign(request, keys, NOW)
    theirs = botocore_headers(request, keys, region)
    assert ours["authorization"] == theirs["authorization"]
    assert ours["x-amz-date"] == theirs["x-amz-date"]
    assert ours.get("x-amz-security-token") == theirs.get("x-amz-security-token")


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_put_is_signed_as_botocore_signs_it(key: str) -> None:
    headers = {
        "host": "site.s3.eu-central-1.amazonaws.com",
        "content-type": "text/css; charset=utf-8",
        "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==",
        "cache-control": "public,  max-age=60",
    }
    assert_same(SignedRequest("PUT", encode_path(f"/{key}"), "", headers, "0" * 64))


@pytest.mark.parametrize("prefix", ["static/", *ODD_KEYS])
def test_a_listing_is_signed_as_botocore_signs_it(prefix: str) -> None:
    query = encode_query({"list-type": "2", "prefix": prefix, "continuation-token": "a/b+c=="})
    assert_same(SignedRequest("GET", "/bucket/", query, {"host": "127.0.0.1:9000"}, "0" * 64))


def test_a_session_token_is_signed_too() -> None:
    keys = Keys("AKIDEXAMPLE", "secret", "a-session-token")
    assert_same(SignedRequest("GET", "/", "", {"host": "h"}, "0" * 64), keys)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(lambda key: "\0" not in key))
def test_any_key_is_signed_as_botocore_signs_it(key: str) -> None:
    assert_same(SignedRequest("PUT", encode_path(f"/bucket/{key}"), "", {"host": "localhost:9000"}, "0" * 64))


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


def test_a_signer_follows_the_date_and_the_credentials() -> None:
    request = SignedRequest("GET", "/", "", {"host": "h"}, "0" * 64)
    signer = Signer("eu-central-1")
    first = signer.sign(request, KEYS, NOW)["authorization"]
    assert signer.sign(request, KEYS, NOW.replace(day=29))["authorization"] != first
    assert signer.sign(request, Keys("AKIDEXAMPLE", "other"), NOW)["authorization"] != first
    assert signer.sign(request, KEYS, NOW)["authorization"] == first


def test_secrets_are_not_in_the_repr() -> None:
    assert repr(Keys("id", "hidden", "hidden too")) == "Keys(access_key='id')"
