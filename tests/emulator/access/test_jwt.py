"""JWT authorizers, with real keys and an issuer that answers on a real port."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from emulator.access import Guard, guard
from emulator.access.jwt import shown
from emulator.blueprint import Door, JwtAuthorizer, Route
from emulator.front_doors.contract import Admitted, Refusal, Refused

from .helpers import NOW, REQUEST_ID, Clock, nobody, request

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ELLIPTIC = ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """What an identity provider publishes: where its keys are, and the keys; counts how often it is asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.keys: list[dict[str, Any]] = [
            jwk(KEY, "one"),
            {**ECAlgorithm.to_jwk(ELLIPTIC.public_key(), True), "kid": "e"},
        ]
        self.answers: dict[str, web.Response] = {}
        self.patience = 0.0

    async def __call__(self, asked: web.BaseRequest) -> web.Response:
        self.asked.append(asked.path)
        await asyncio.sleep(self.patience)
        if asked.path in self.answers:
            return self.answers[asked.path]
        if asked.path == "/realm/.well-known/openid-configuration":
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        return web.json_response({"keys": self.keys})


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), True), "kid": kid, "use": "sig", "alg": "RS256"}


@contextlib.asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    runner = web.ServerRunner(web.Server(issuer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    issuer.url = f"http://{host}:{port}/realm"
    try:
        yield issuer
    finally:
        await runner.cleanup()


def claims(issuer: Issuer | None = None, **changes: Any) -> dict[str, Any]:
    made = {
        "iss": issuer.url if issuer else "https://issuer.example",
        "aud": "shop",
        "sub": "ann",
        "exp": NOW + 60,
        "iat": NOW - 60,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not ...}


def signed(payload: object, key: Any = KEY, kid: str | None = "one", algorithm: str = "RS256") -> str:
    token = jwt.api_jws.encode(json.dumps(payload).encode(), key, algorithm, {"kid": kid} if kid else {})
    return str(token)


def guarded(
    issuer: str, clock: Clock | None = None, *, kind: str = "http_api", signatures: bool = True, **fields: Any
) -> Guard:
    authorizer = JwtAuthorizer("pool", issuer, **{"audiences": ("shop", "back-office"), **fields})
    door = Door(kind, "site", authorizer=authorizer)
    return guard(door, nobody, check_signatures=signatures, clock=clock or Clock())


async def judged(guard: Guard, token: str | None, prefix: str = "Bearer ") -> Admitted | Refused:
    headers = () if token is None else (("Authorization", f"{prefix}{token}"),)
    try:
        return await guard.admit(request(headers=headers), REQUEST_ID)
    except Refused as refused:
        return refused


def unsigned(payload: dict[str, Any], **fields: Any) -> Admitted | Refused:
    """What is made of the claims alone, whoever signed them."""
    return asyncio.run(judged(guarded("https://issuer.example", signatures=False, **fields), signed(payload, OTHER)))


def challenge(refused: Admitted | Refused) -> str:
    assert isinstance(refused, Refused)
    ((name, value),) = refused.headers
    assert name == "www-authenticate"
    return value


def test_a_token_of_the_issuer_is_admitted_and_its_claims_are_shown() -> None:
    async def scenario() -> None:
        async with issuing() as issuer:
            token = signed(claims(issuer))
            expected = {"iss": issuer.url, "aud": "shop", "sub": "ann", "exp": str(NOW + 60), "iat": str(NOW - 60)}
            for prefix in ("Bearer ", "bearer  ", ""):
                admitted = await judged(guarded(issuer.url), token, prefix)
                assert admitted == Admitted({"jwt": {"claims": expected, "scopes": None}})
            admitted = await judged(guarded(issuer.url, kind="http_api_1"), token)
            assert admitted == Admitted({"claims": expected, "scopes": None})

    asyncio.run(scenario())


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_every_rsa_algorithm_is_taken(algorithm: str) -> None:
    async def scenario() -> None:
        async with issuing() as issuer:
            del issuer.keys[0]["alg"]
            assert isinstance(await judged(guarded(issuer.url), signed(claims(issuer), algorithm=algorithm)), Admitted)

    asyncio.run(scenario())


def test_what_is_not_signed_by_the_issuer_is_refused() -> None:
    async def scenario() -> None:
        async with issuing() as issuer:
            guard = guarded(issuer.url)
            public = RSAAlgorithm.to_jwk(KEY.public_key())
            good = signed(claims(issuer))
            body = good.rpartition(".")[0]
            signature = signed(claims(issuer, sub="bob")).rpartition(".")[2]
            forged = {
                "can't be verified": signed(claims(issuer), OTHER),
                "Signature verification failed": f"{body}.{signature}",
                "no kid": signed(claims(issuer), kid=None),
                "the issuer's keys are one": signed(claims(issuer), OTHER, "two"),
                "signed with 'ES256'": signed(claims(issuer), ELLIPTIC, "e", "ES256"),
                "signed with 'none'": signed(claims(issuer), None, "one", "none"),
                "signed with 'HS256'": jwt.api_jws.encode(b"{}", "k" * 32, "HS256", {"kid": "one"}),
                "an invalid number of segments": public,
            }
            for said, token in forged.items():
                refused = await judged(guard, token)
                assert isinstance(refused, Refused), said
                assert (refused.refusal, said in str(refused)) == (Refusal.UNAUTHORIZED, True), refused
            header = body.partition(".")[0]
            deep = base64.urlsafe_b64encode(b'{"kid":' + b"[" * 5000).decode().rstrip("=")
            timeless = signed(claims(issuer, exp=float("nan")))
            for token in (
                timeless,
                f"{deep}.e30.c2ln",
                "a.b.c",
                "..",
                "é.è.ê",
                f"{header}.e30.",
                f"{header}..",
                signed([]),
            ):
                assert isinstance(await judged(guard, token), Refused), token

    asyncio.run(scenario())


def test_what_the_client_is_told_is_as_seen_on_aws() -> None:
    async def scenario() -> None:
        async with issuing() as issuer:
            guard = guarded(issuer.url)
            assert challenge(await judged(guard, None)) == "Bearer"
            assert challenge(await judged(guard, "not-a-token")) == (
                'Bearer scope="" error="invalid_token" error_description="token contains an invalid number of segments"'
            )
            assert challenge(await judged(guard, signed(claims(issuer, aud="other")))) == (
                'Bearer scope="" error="invalid_token" error_description="the token does not have a valid audience"'
            )

    asyncio.run(scenario())


def test_keys_are_kept_for_two_hours_and_fetched_anew_for_one_that_is_not_among_them() -> None:
    async def scenario() -> None:
        async with issuing() as issuer:
            clock = Clock()
            guard = guarded(issuer.url, clock)
            lasting = claims(issuer, exp=NOW + 100_000)
            assert isinstance(await judged(guard, signed(lasting)), Admitted)
            assert issuer.asked == ["/realm/.well-known/openid-configuration", "/realm/keys"]
            clock.now += 7199
            assert isinstance(await judged(guard, signed(lasting)), Admitted)
            assert len(issuer.asked) == 2
            clock.now += 1
            assert isinstance(await judged(guard, signed(lasting)), Admitted)
            assert len(issuer.asked) == 4
            issuer.keys = [jwk(OTHER, "two")]
            assert isinstance(await judged(guard, signed(lasting, OTHER, "two")), Admitted)
            assert len(issuer.asked) == 6
            # The key that is gone counts no more.
            assert isinstance(await judged(guard, signed(lasting)), Refused)

    asyncio.run(scenario())


def test_requests_at_once_ask_the_issuer_once() -> None:
    async def scenario() -> None:
        async with issuing() as issuer:
            issuer.patience = 0.05
            guard, token = guarded(issuer.url), signed(claims(issuer))
            results = await asyncio.gather(*(judged(guard, token) for _ in range(20)))
            assert all(isinstance(result, Admitted) for result in results)
            assert len(issuer.asked) == 2
            issuer.answers["/realm/keys"] = web.Response(status=503)
            results = await asyncio.gather(*(judged(guard, signed(claims(issuer), kid="new")) for _ in range(20)))
            assert all(isinstance(result, Refused) for result in results)
            assert len(issuer.asked) == 4

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "answer", "told", "said"),
    [
        (".well-known/openid-configuration", {"status": 404}, "OIDC discovery endpoint", "answers 404"),
        (".well-known/openid-configuration", {"text": "<html>"}, "OIDC discovery endpoint", "gives no JSON"),
        (".well-known/openid-configuration", {"text": "[]"}, "OIDC discovery endpoint", "gives no JSON object"),
        (".well-known/openid-configuration", {"text": "{}"}, "JWKS", "names no jwks_uri"),
        ("keys", {"status": 500}, "JWKS", "/realm/keys answers 500"),
        ("keys", {"text": '{"keys": [{"kid": "one", "kty": "RSA", "n": "!"}]}'}, "JWKS", "'one'"),
    ],
)
def test_an_issuer_that_gives_no_keys(path: str, answer: dict[str, Any], told: str, said: str) -> None:
    async def scenario() -> None:
        async with issuing() as issuer:
            issuer.answers[f"/realm/{path}"] = web.Response(**answer)
            guard, token = guarded(issuer.url), signed(claims(issuer))
            refused = await judged(guard, token)
            assert f'error_description="{told} communication error"' in challenge(refused)
            assert said in str(refused)
            # As soon as it does, all is well.
            issuer.answers.clear()
            assert isinstance(await judged(guard, token), Admitted)

    asyncio.run(scenario())


def test_an_issuer_that_is_not_there_or_does_not_answer_in_time() -> None:
    async def scenario() -> None:
        async with issuing() as issuer:
            issuer.patience = 1.8
            guard, token = guarded(issuer.url), signed(claims(issuer))
            async with asyncio.timeout(4):
                late = await judged(guard, token)
            assert "has not answered in the 1.5 seconds" in str(late)
        gone = await judged(guard, token)
        assert "OIDC discovery endpoint communication error" in challenge(gone)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iss": "https://issuer.example/"}, "to the letter"),
        ({"iss": ...}, "the token's iss is None"),
        ({"aud": "other"}, "the token is for 'other', the authorizer takes shop, back-office"),
        ({"aud": ["other", 7]}, "the token is for"),
        ({"aud": ...}, "the token is for None"),
        ({"aud": ..., "client_id": "other"}, "the token is for 'other'"),
        ({"aud": "other", "client_id": "shop"}, "the token is for 'other'"),
        ({"aud": {"shop": True}}, "the token is for"),
        ({"exp": NOW}, "expired 0 seconds ago"),
        ({"exp": ...}, "exp is None"),
        ({"exp": "soon"}, "exp is 'soon'"),
        ({"nbf": NOW + 5}, "nbf is 5 seconds in the future"),
        ({"nbf": None}, "nbf is None"),
        ({"iat": NOW + 1}, "iat is 1 seconds in the future"),
    ],
)
def test_claims_that_are_refused(changes: dict[str, Any], said: str) -> None:
    refused = unsigned(claims(**changes))
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.UNAUTHORIZED
    assert said in str(refused)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": ["other", "back-office"]},
        {"aud": ..., "client_id": "shop"},
        {"iat": ..., "nbf": NOW},
        {"exp": NOW + 0.5, "iat": NOW},
    ],
)
def test_claims_that_are_taken(changes: dict[str, Any]) -> None:
    assert isinstance(unsigned(claims(**changes)), Admitted)


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": "a shop/read b"}, ["shop/read"]),
        ({"scope": "shop/write shop/read"}, ["shop/write", "shop/read"]),
        ({"scp": ["shop/read", "x"]}, ["shop/read"]),
        ({"scp": "shop/read"}, ["shop/read"]),
        ({"scope": "shop/readonly"}, None),
        ({"scp": [], "scope": "shop/read"}, None),
        ({}, None),
    ],
)
def test_one_of_the_scopes_has_to_be_there(changes: dict[str, Any], scopes: list[str] | None) -> None:
    result = unsigned(claims(**changes), scopes=("shop/read", "shop/write"))
    if scopes is None:
        assert isinstance(result, Refused)
        assert result.refusal is Refusal.DENIED
        assert 'Bearer scope="shop/read shop/write" error="insufficient_scope"' in challenge(result)
    else:
        assert isinstance(result, Admitted)
        assert result.authorizer is not None
        assert result.authorizer["jwt"]["scopes"] == scopes


def test_the_token_may_be_in_the_query() -> None:
    guard = guarded("https://issuer.example", signatures=False, identity_source="$request.querystring.token")
    asked = request(query=f"token={signed(claims())}")
    assert asyncio.run(guard.admit(asked, REQUEST_ID)).authorizer is not None


def test_a_route_that_is_public_asks_for_no_token() -> None:
    """The way that AWS documents for preflights: OPTIONS with an authorizer that is none, all else with one."""
    authorizer = JwtAuthorizer("pool", "https://issuer.example", ("shop",))
    routes = (
        Route("OPTIONS", "/{proxy+}", public=True),
        Route("ANY", "$default"),
        Route("ANY", "/health", public=True),
    )
    guarded = guard(Door("http_api", "site", routes=routes, authorizer=authorizer), nobody)

    async def scenario() -> None:
        assert (await guarded.admit(request("OPTIONS", "/x"), REQUEST_ID)).authorizer is None
        assert (await guarded.admit(request("GET", "/health"), REQUEST_ID)).authorizer is None
        with pytest.raises(Refused):
            await guarded.admit(request("GET", "/x"), REQUEST_ID)

    asyncio.run(scenario())


def test_how_claims_are_shown() -> None:
    assert shown(
        {
            "sub": "ann",
            "exp": 1785675600,
            "half": 0.5,
            "email_verified": True,
            "cognito:groups": ["Admins", "Readers"],
            "nickname": None,
            "realm_access": {"roles": ["b", None], "a": 1},
            "none": [],
        }
    ) == {
        "sub": "ann",
        "exp": "1785675600",
        "half": "0.5",
        "email_verified": "true",
        "cognito:groups": "[Admins Readers]",
        "realm_access": "map[a:1 roles:[b <nil>]]",
        "none": "[]",
    }
