"""JWT authorizers of an HTTP API.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from .. import blueprint
from ..front_doors import answers
from ..front_doors.contract import Event, Refusal, Refused
from ..http import Request
from . import identity

if TYPE_CHECKING:
    import aiohttp
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_ALGORITHMS = ["RS256", "RS384", "RS512"]
_KEPT = 2 * 60 * 60
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
_PATIENCE = 1.5
_NO_DISCOVERY = "OIDC discovery endpoint communication error"
_NO_KEYS = "JWKS communication error"
_BEARER = re.compile(r"bearer\s+", re.IGNORECASE)


class _InvalidToken(Exception):
    """The token is not accepted; ``description`` is what the client is told, the text what the person is."""

    def __init__(self, description: str, text: str = "") -> None:
        super().__init__(text or description)
        self.description = description


class JwtAuthorizing:
    """One authorizer at work. With ``check_signatures`` off, the claims are checked all the same."""

    def __init__(
        self, authorizer: blueprint.JwtAuthorizer, *, check_signatures: bool, clock: Callable[[], float]
    ) -> None:
        self._authorizer = authorizer
        self._source = identity.parse(authorizer.identity_source)
        self._keys = _Keys(authorizer.issuer, clock) if check_signatures else None
        self._clock = clock

    async def admit(self, request: Request, event: Event) -> dict[str, Any]:
        """The token's ``claims`` and ``scopes`` as the event shows them; raises `Refused`.

        Of what the client is told in ``www-authenticate``, these are seen: nothing about a missing token, three parts
        (both in a deployed API), the audience
        (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html), the issuer
        and both kinds of keys out of reach. Every other wording is unproven, as is the header for missing scopes.
        """
        token = _BEARER.sub("", self._source.read(request, event), count=1)
        if not token:
            raise Refused(
                Refusal.UNAUTHORIZED,
                f"no token in {self._source.written}, where the authorizer {self._authorizer.name} looks for it",
                (("www-authenticate", "Bearer"),),
            )
        try:
            claims = await self._verified(token)
            self._check(claims)
        except _InvalidToken as invalid:
            raise self._refused(Refusal.UNAUTHORIZED, "invalid_token", invalid.description, str(invalid)) from None
        return {"claims": shown(claims), "scopes": self._scopes(claims)}

    async def _verified(self, token: str) -> dict[str, Any]:
        import jwt

        if token.count(".") != 2:
            raise _InvalidToken("token contains an invalid number of segments")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in _ALGORITHMS:
                raise _InvalidToken(
                    "signing method is invalid",
                    f"the token is signed with {header.get('alg')!r}; an HTTP API takes {', '.join(_ALGORITHMS)} alone",
                )
            if self._keys is None:
                payload = jwt.PyJWS().decode_complete(token, options={"verify_signature": False})["payload"]
            else:
                payload = jwt.PyJWS().decode(token, await self._keys.find(header.get("kid")), algorithms=_ALGORITHMS)
            claims = answers.parse(payload)
        except (jwt.PyJWTError, answers.Malformed) as error:
            raise _InvalidToken("the token could not be verified", f"the token can't be verified: {error}") from None
        if not isinstance(claims, dict):
            raise _InvalidToken("the token could not be verified", "the token's payload is no JSON object")
        return claims

    def _check(self, claims: Mapping[str, Any]) -> None:
        """Issuer, audience and times, in the documented order; there is no leeway."""
        if claims.get("iss") != self._authorizer.issuer:
            raise _InvalidToken(
                "issuer does not match",
                f"the token's iss is {claims.get('iss')!r}, the authorizer's issuer {self._authorizer.issuer!r}: both "
                "have to be the same to the letter, a last slash included",
            )
        # client_id is looked at only where there is no aud: what Cognito's access tokens have.
        named = claims["aud"] if "aud" in claims else claims.get("client_id")
        if not any(name in self._authorizer.audiences for name in (named if isinstance(named, list) else [named])):
            raise _InvalidToken(
                "the token does not have a valid audience",
                f"the token is for {named!r}, the authorizer takes {', '.join(self._authorizer.audiences)}",
            )
        now = self._clock()
        for name in ("exp", "nbf", "iat"):
            if name not in claims and name != "exp":
                continue
            moment = claims.get(name)
            if not isinstance(moment, int | float):
                raise _InvalidToken("the token has no valid times", f"the token's {name} is {moment!r}, no time")
            if name == "exp" and moment <= now:
                raise _InvalidToken("the token has expired", f"the token expired {now - moment:.0f} seconds ago")
            if name != "exp" and moment > now:
                raise _InvalidToken(
                    "the token is not valid yet", f"the token's {name} is {moment - now:.0f} seconds in the future"
                )

    def _scopes(self, claims: Mapping[str, Any]) -> list[str] | None:
        """Those of the token's that the authorizer asks for, None where it asks for none; raises `Refused`.

        None is captured (https://github.com/aws/aws-lambda-go/issues/317); that the list holds no other scopes of the
        token is unproven.
        """
        if not self._authorizer.scopes:
            return None
        held = claims["scp"] if "scp" in claims else claims.get("scope", "")
        names = held if isinstance(held, list) else str(held).split()
        found = [scope for scope in names if scope in self._authorizer.scopes]
        if not found:
            wanted = " ".join(self._authorizer.scopes)
            raise self._refused(
                Refusal.DENIED,
                "insufficient_scope",
                "the token does not have a required scope",
                f"the token has the scopes {names!r}, the authorizer asks for one of {wanted}",
            )
        return found

    def _refused(self, refusal: Refusal, error: str, description: str, reason: str) -> Refused:
        scopes = " ".join(self._authorizer.scopes)
        challenge = f'Bearer scope="{scopes}" error="{error}" error_description="{description}"'
        return Refused(refusal, f"the authorizer {self._authorizer.name}: {reason}", (("www-authenticate", challenge),))


class _Keys:
    """An issuer's public keys, fetched when first needed and kept for two hours, as documented.

    They are fetched anew where a token names a key that is not there, so that an issuer on the same laptop may be
    started again; AWS may go on without a new key for as long as it keeps the old ones.
    """

    def __init__(self, issuer: str, clock: Callable[[], float]) -> None:
        self._url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        self._clock = clock
        self._keys: dict[str, RSAPublicKey] = {}
        self._fetched = float("-inf")
        self._problem: _InvalidToken | None = None
        self._attempts = 0
        self._lock = asyncio.Lock()

    async def find(self, kid: object) -> RSAPublicKey:
        """The key called ``kid``; raises `_InvalidToken` where the issuer has none, or can't be asked."""
        if not isinstance(kid, str):
            raise _InvalidToken("the token has no kid", "the token's header has no kid, which names the issuer's key")
        if kid not in self._keys or self._clock() - self._fetched >= _KEPT:
            await self._renew()
        try:
            return self._keys[kid]
        except KeyError:
            raise _InvalidToken(
                "the token's key is not known",
                f"the token's kid is {kid!r}, the issuer's keys are {', '.join(self._keys) or '(none)'}",
            ) from None

    async def _renew(self) -> None:
        attempts = self._attempts
        async with self._lock:
            # Whoever waited while another asked takes what came of that.
            if self._attempts == attempts:
                try:
                    self._keys = await self._fetch()
                    self._fetched, self._problem = self._clock(), None
                except _InvalidToken as problem:
                    self._problem = problem
                self._attempts += 1
        if self._problem is not None:
            raise self._problem

    async def _fetch(self) -> dict[str, RSAPublicKey]:
        import aiohttp
        from jwt import PyJWTError
        from jwt.algorithms import RSAAlgorithm

        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as session:
            where = (await _document(session, self._url, _NO_DISCOVERY)).get("jwks_uri")
            if not isinstance(where, str):
                raise _InvalidToken(_NO_KEYS, f"{self._url} names no jwks_uri")
            listed = (await _document(session, where, _NO_KEYS)).get("keys")
        keys = {}
        for key in listed if isinstance(listed, list) else ():
            # Keys of other kinds may be among them: https://www.rfc-editor.org/rfc/rfc7517#section-5
            if isinstance(key, dict) and isinstance(key.get("kid"), str) and key.get("kty") == "RSA":
                try:
                    keys[key["kid"]] = cast("RSAPublicKey", RSAAlgorithm.from_jwk(key))
                except (PyJWTError, ValueError) as error:
                    raise _InvalidToken(_NO_KEYS, f"the key {key['kid']!r} of {where} can't be read: {error}") from None
        return keys


async def _document(session: aiohttp.ClientSession, url: str, description: str) -> dict[str, Any]:
    """The JSON object at ``url``; raises `_InvalidToken` with ``description``."""
    import aiohttp

    try:
        async with session.get(url) as response:
            if response.status != 200:
                raise _InvalidToken(description, f"{url} answers {response.status}")
            document = json.loads(await response.read())
    except TimeoutError:
        text = f"{url} has not answered in the {_PATIENCE} seconds that an HTTP API waits"
        raise _InvalidToken(description, text) from None
    except (aiohttp.ClientError, ValueError) as error:
        raise _InvalidToken(description, f"{url} gives no JSON: {error}") from None
    if not isinstance(document, dict):
        raise _InvalidToken(description, f"{url} gives no JSON object")
    return document


def shown(claims: Mapping[str, Any]) -> dict[str, str]:
    """The claims as a function sees them: all are text, and those that are null are left out.

    Lists in brackets with spaces, and null, are measured: https://github.com/floci-io/floci/pull/2011. That objects
    follow the same printer, as in ``map[roles:[admin]]``, is unproven.
    """
    return {name: _text(value) for name, value in claims.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{name}:{_text(value[name])}' for name in sorted(value))}]"
    return "<nil>" if value is None else json.dumps(value)
