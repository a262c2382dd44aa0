"""What the front door hears of a request."""

from __future__ import annotations

from emulator.blueprint import CachePolicy, Distribution, OriginRequestPolicy
from emulator.http import Request, Response
from tests.emulator.cdn.edge import KEPT, Edge, behaviour, get

SENT = {
    "Host": "localhost:8000",
    "Accept": "text/html",
    "Accept_Encoding": "gzip, deflate, br",
    "Accept_Language": "de",
    "Authorization": "Basic eA==",
    "Connection": "close",
    "Content_Type": "text/plain",
    "Cookie": "a=1; b=2",
    "Expect": "100-continue",
    "If_None_Match": '"e"',
    "Origin": "https://example.org",
    "Proxy_Authorization": "Basic eA==",
    "Range": "bytes=0-1",
    "Referer": "https://example.org/",
    "TE": "trailers",
    "Upgrade": "websocket",
    "User_Agent": "Mozilla/5.0",
    "X_CSRFToken": "abc",
    "X_Edge_Own": "1",
    "X_Forwarded_Proto": "https",
    "X_Origin_Verify": "guessed",
    "X_Real_IP": "10.0.0.1",
}
ADDED = {
    "x-forwarded-host": "localhost:8000",
    "x-forwarded-for": "192.0.2.7",
    "via": "1.1 emulator.cloudfront.net (CloudFront)",
}


def heard(
    cache: CachePolicy, forward: OriginRequestPolicy, method: str = "GET", query: str = "", **more: str
) -> tuple[dict[str, str], Request]:
    """The headers that reach the door, without the ones that always do."""
    distribution = Distribution((behaviour(cache, forward=forward),), secrets=(("X-Origin-Verify", "secret"),))
    edge = Edge(lambda request: Response(200), distribution)
    edge.ask(get("/", query, method, **{**SENT, **more}))
    [asked] = edge.asked
    headers = {name.lower(): value for name, value in asked.headers}
    assert len(headers) == len(asked.headers), "no header comes twice"
    assert headers.pop("x-origin-verify") == "secret"
    assert len(headers.pop("x-amz-cf-id")) == 56
    assert ADDED.items() <= headers.items()
    return {name: value for name, value in headers.items() if name not in ADDED}, asked


def test_all_of_the_viewer_s_headers_save_what_no_policy_passes_on() -> None:
    headers, asked = heard(CachePolicy(), OriginRequestPolicy(("*",), ("*",), ("*",)), query="a=1&b=%20")
    gone = "Connection Expect Proxy_Authorization TE Upgrade X_Edge_Own X_Forwarded_Proto X_Origin_Verify X_Real_IP"
    assert headers == {
        name.lower().replace("_", "-"): value for name, value in SENT.items() if name not in gone.split()
    }
    assert asked.query == "a=1&b=%20"


def test_the_template_may_name_the_host_itself() -> None:
    distribution = Distribution((behaviour(),), secrets=(("X-Forwarded-Host", "www.example.org"),))
    edge = Edge(lambda request: Response(200), distribution)
    edge.ask(get(Host="localhost:8000", X_Forwarded_Host="evil.example"))
    assert edge.asked[0].header_values("x-forwarded-host") == ["www.example.org"]


def test_next_to_nothing_where_no_policy_says_more() -> None:
    headers, asked = heard(CachePolicy(), OriginRequestPolicy(), query="a=1")
    assert headers == {
        "host": "localhost:8000",
        "content-type": "text/plain",
        "if-none-match": '"e"',
        "origin": "https://example.org",
        "range": "bytes=0-1",
        "user-agent": "Amazon CloudFront",
    }
    assert asked.query == ""


def test_what_the_policies_name_together() -> None:
    cache = CachePolicy(default=60, maximum=60, queries=("a",), headers=("Accept-Language",), cookies=("a",))
    forward = OriginRequestPolicy(queries=("c d",), headers=("x-csrftoken", "User-Agent"), cookies=("z", "b"))
    headers, asked = heard(cache, forward, query="a=1&b=2&c+d=3&a=4")
    assert asked.query == "a=1&c+d=3&a=4"
    assert {name: headers.get(name) for name in ("accept-language", "cookie", "x-csrftoken", "user-agent")} == {
        "accept-language": "de",
        "cookie": "a=1; b=2",
        "x-csrftoken": "abc",
        "user-agent": "Mozilla/5.0",
    }
    assert "referer" not in headers


def test_credentials_pass_where_nothing_is_kept_or_a_policy_names_them() -> None:
    none = OriginRequestPolicy()
    assert "authorization" not in heard(KEPT, none)[0]
    assert heard(KEPT, none, method="POST")[0]["authorization"] == SENT["Authorization"]
    named = CachePolicy(default=60, maximum=60, headers=("Authorization",))
    assert heard(named, none)[0]["authorization"] == SENT["Authorization"]


def test_codings_are_normalised_where_they_are_part_of_the_key() -> None:
    none = OriginRequestPolicy()
    both, gzip = CachePolicy(maximum=60, gzip=True, brotli=True), CachePolicy(maximum=60, gzip=True)
    for policy, accepted, expected in (
        (both, "gzip, deflate, br;q=0.9, zstd", "br,gzip"),
        (both, "gzip;q=0, br", "br"),
        (both, "deflate", "identity"),
        (gzip, "gzip, deflate, br", "gzip"),
        (gzip, "br", "identity"),
        (CachePolicy(maximum=60), "gzip", None),
    ):
        assert heard(policy, none, Accept_Encoding=accepted)[0].get("accept-encoding") == expected
