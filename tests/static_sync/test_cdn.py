"""Invalidations: which paths, and how CloudFront takes them."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, unquote

import pytest
from django.utils.encoding import filepath_to_uri
from hypothesis import given, settings
from hypothesis import strategies as st

from static_sync.cdn import (
    MOST_PATHS,
    MOST_WILDCARDS,
    CloudFront,
    Invalidation,
    check_cache_tag,
    plan_invalidation,
)
from static_sync.exceptions import CdnError, UsageError
from tests.static_sync.conftest import Moto

DISTRIBUTION = "E2QWRUHAPOMQZL"
S3_ORIGIN = {"Id": "bucket", "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
_numbers = count(1)


def paths(keys: list[str], *others: str) -> tuple[str, ...]:
    invalidation = plan_invalidation(keys, all_keys=[*keys, *others])
    assert invalidation is not None
    return invalidation.paths


def covers(sent: tuple[str, ...], path: str) -> bool:
    """What CloudFront does: a path as the viewer spelt it, or the beginning of one."""
    return any(path.startswith(item[:-1]) if item.endswith("*") else path == item for item in sent)


# --- which paths


def test_nothing_changed_is_nothing_to_invalidate() -> None:
    assert plan_invalidation([], all_keys=["static/a.css"]) is None
    assert plan_invalidation([], all_keys=["static/a.css"], tag="static") is None


def test_few_changes_are_named_one_by_one() -> None:
    keys = [f"static/css/{number:02}.css" for number in range(MOST_PATHS)]
    assert paths(keys) == tuple(f"/{key}" for key in keys)


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("static/a b.css", ("/static/a%20b.css",)),
        ("static/é.css", ("/static/%C3%A9.css",)),
        ("static/e\u0301.css", ("/static/e%CC%81.css",)),
        ('static/"<>#%{}|\\^[]`', ("/static/%22%3C%3E%23%25%7B%7D%7C%5C%5E%5B%5D%60",)),
        ("static/%41.css", ("/static/%2541.css",)),
        ("static/what?.css", ("/static/what%3F.css",)),
        ("static/(it's)!-_.css", ("/static/(it's)!-_.css",)),
        # A stylesheet says the one, Django's templates say the other.
        ("static/a+b.css", ("/static/a%2Bb.css", "/static/a+b.css")),
        ("static/@org/a.js", ("/static/%40org/a.js", "/static/@org/a.js")),
        # A path with a tilde is refused and one with %7E is not what viewers ask for; a star is a wildcard.
        ("static/vendors~main.js", ("/static/vendors*",)),
        ("static/a*b.css", ("/static/a*",)),
        ("static/@org/a~b.js", ("/static/%40org/a*", "/static/@org/a*")),
    ],
)
def test_names_are_encoded_as_cloudfront_wants_them(key: str, sent: tuple[str, ...]) -> None:
    assert paths([key]) == sent


def test_a_wildcard_that_is_needed_anyway_spares_the_names_it_covers() -> None:
    assert paths(["static/a~1.js", "static/a.js", "static/b.js"]) == ("/static/b.js", "/static/a*")


def test_many_changes_are_named_by_the_folder_that_costs_least() -> None:
    admin = [f"static/admin/js/{number:03}.js" for number in range(100)]
    own = [f"static/css/{number:02}.css" for number in range(10)]
    hashed = [f"static/css/{number:02}.0123456789ab.css" for number in range(500)]
    assert paths(admin + own, *hashed) == (*(f"/{key}" for key in own), "/static/admin/js/*")


def test_the_folder_that_saves_most_is_left_alone_when_it_costs_more() -> None:
    dear = [f"static/a/{number:02}.css" for number in range(29)]
    cheap = [f"static/b/{number:02}.css" for number in range(28)]
    hashed = [key.replace(".css", ".0123456789ab.css") for key in dear]
    assert paths(dear + cheap, *hashed) == (*(f"/{key}" for key in dear), "/static/b/*")


def test_the_deeper_of_two_folders_is_taken_when_both_cost_the_same() -> None:
    assert paths([f"static/a/b/{number}.js" for number in range(100)]) == ("/static/a/b/*",)


def test_no_more_wildcards_than_may_be_in_progress() -> None:
    folders = [f"static/{folder}/{number}.js" for folder in range(20) for number in range(50)]
    assert paths(folders) == ("/static/*",)
    tildes = [f"static/{folder}/x~{number}.js" for folder in range(16) for number in range(2)]
    assert paths(tildes) == ("/static/*",)
    assert paths(tildes[: 2 * MOST_WILDCARDS]) == tuple(
        f"/{item}" for item in sorted(f"static/{folder}/x*" for folder in range(MOST_WILDCARDS))
    )


def test_a_whole_framework_upgrade_is_planned_at_once() -> None:
    keys = [f"static/{app}/{kind}/{number}.js" for app in range(100) for kind in range(20) for number in range(5)]
    hashed = [key.replace(".js", ".0123456789ab.js") for key in keys]
    started = time.process_time()
    sent = paths(keys, *hashed)
    assert time.process_time() - started < 5
    assert len(sent) <= MOST_PATHS


_names = st.text(st.sampled_from("ab.~*+@ %é?#[('/\U0010ffff"), min_size=1, max_size=12)
_keys = st.builds("static/{}/{}".format, st.sampled_from(["css", "js/x", "@org", "a~b", "é"]), _names) | _names


@settings(max_examples=300, deadline=None)
@given(st.lists(_keys, min_size=1, max_size=120), st.lists(_keys, max_size=60))
def test_every_changed_path_is_covered_within_the_limits(keys: list[str], others: list[str]) -> None:
    sent = paths(keys, *others)
    assert len(sent) <= MOST_PATHS
    assert sum(item.endswith("*") for item in sent) <= MOST_WILDCARDS
    assert len(set(sent)) == len(sent)
    for item in sent:
        assert re.fullmatch(r"/([A-Za-z0-9/._!'();:@=&$+,-]|%[0-9A-F]{2})*\*?", item)
    for key in keys:
        assert covers(sent, f"/{filepath_to_uri(key)}")  # what {% static %} writes
        assert covers(sent, "/" + quote(key, safe="/!'();:@=&$+,~*"))  # what a person would write
    assert sent == paths(keys[::-1], *others[::-1], *others)  # the order of things says nothing


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 400), min_size=1), st.sets(st.integers(0, 400)))
def test_single_paths_name_changed_keys_alone(changed: set[int], others: set[int]) -> None:
    keys = [f"static/{number // 40}/{number}.css" for number in changed]
    sent = paths(keys, *(f"static/{number // 40}/{number}.css" for number in others))
    assert {unquote(item[1:]) for item in sent if not item.endswith("*")} <= set(keys)
    if len(keys) <= MOST_PATHS:
        assert len(sent) == len(keys)


def test_one_tag_stands_for_all() -> None:
    assert plan_invalidation(["static/a.css"], all_keys=[], tag="site:static") == Invalidation(("#site:static",))


@pytest.mark.parametrize("tag", ["", "a b", "a,b", "é", "x" * 257, "a\n"])
def test_a_tag_that_cloudfront_would_not_take_is_refused(tag: str) -> None:
    with pytest.raises(UsageError, match="is no cache tag"):
        check_cache_tag(tag)
    with pytest.raises(UsageError, match="is no cache tag"):
        plan_invalidation(["static/a.css"], all_keys=[], tag=tag)


def test_nothing_is_imported_when_there_is_nothing_to_do() -> None:
    code = (
        "import sys; from static_sync.cdn import CloudFront, plan_invalidation\n"
        f"with CloudFront('{DISTRIBUTION}'): print(plan_invalidation([], all_keys=['static/a.css']))\n"
        "print(sorted({'boto3', 'botocore', 'http.client', 'ssl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None\n[]\n"


@pytest.mark.parametrize("wrong", ["", "d111111abcdef8.cloudfront.net", "arn:aws:cloudfront::1:distribution/E1", "e1"])
def test_what_cannot_be_an_id_is_a_usage_error(wrong: str) -> None:
    with pytest.raises(UsageError, match="list-distributions"):
        CloudFront(wrong)


# --- how CloudFront takes them: moto's server


@pytest.fixture
def moto_cloudfront(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> Any:
    """boto3's client; botocore finds the server by the environment, as a person's would."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", moto_server.url)
    client = boto3.client("cloudfront", region_name="us-east-1")
    yield client
    client.close()


def new_distribution(client: Any) -> str:
    config = {
        "CallerReference": str(next(_numbers)),
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [S3_ORIGIN]},
        "DefaultCacheBehavior": {"TargetOriginId": "bucket", "ViewerProtocolPolicy": "redirect-to-https"},
    }
    return str(client.create_distribution(DistributionConfig=config)["Distribution"]["Id"])


def test_an_invalidation_arrives_as_planned_and_is_waited_for(moto_cloudfront: Any) -> None:
    distribution = new_distribution(moto_cloudfront)
    invalidation = plan_invalidation(["static/é ~.css", "static/a&b.css", "static/c.css"], all_keys=[])
    assert invalidation is not None
    with CloudFront(distribution) as cdn:
        made = cdn.invalidate(invalidation)
        assert cdn.wait(made, timeout=5, every=0.01) is True
    batch = moto_cloudfront.get_invalidation(DistributionId=distribution, Id=made)["Invalidation"]["InvalidationBatch"]
    assert batch["Paths"]["Items"] == ["/static/a%26b.css", "/static/a&b.css", "/static/c.css", "/static/%C3%A9%20*"]


def test_a_tag_arrives_as_one_item(moto_cloudfront: Any) -> None:
    distribution = new_distribution(moto_cloudfront)
    with CloudFront(distribution) as cdn:
        made = cdn.invalidate(Invalidation(("#static",)))
    batch = moto_cloudfront.get_invalidation(DistributionId=distribution, Id=made)["Invalidation"]["InvalidationBatch"]
    assert batch["Paths"] == {"Quantity": 1, "Items": ["#static"]}


def test_the_bucket_s_endpoint_is_not_cloudfront_s(moto_cloudfront: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "auto")
    distribution = new_distribution(moto_cloudfront)
    with CloudFront(distribution, region="auto") as cdn:
        assert cdn.invalidate(Invalidation(("/static/a.css",)))


def test_a_distribution_that_is_not_there(moto_cloudfront: Any) -> None:
    with CloudFront(DISTRIBUTION) as cdn:
        with pytest.raises(CdnError, match="check the id and the account") as caught:
            cdn.invalidate(Invalidation(("/static/a.css", "/static/b c*")))
        assert "NoSuchDistribution" in str(caught.value)
        assert f"--distribution-id {DISTRIBUTION} --paths /static/a.css '/static/b c*'" in str(caught.value)
        assert cdn.wait("I1", timeout=5, every=0.01) is False


# --- how CloudFront takes them: what moto never says


class StubCloudFront:
    """Says what ``plan`` lists, one entry a request, then what a healthy service does.

    An entry is an error's status and code, or "lost": done, but the answer never arrives. The same CallerReference is
    the same invalidation, as CloudFront documents.
    """

    def __init__(self) -> None:
        self.plan: list[tuple[int, str] | str] = []
        self.references: list[str] = []
        self.made: dict[str, str] = {}
        self.polls = 0
        self.status = "Completed"
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                said = re.search("<CallerReference>(.*)</CallerReference>", body)
                assert said is not None
                stub.references.append(said[1])
                fault = stub.plan.pop(0) if stub.plan else None
                if isinstance(fault, tuple):
                    self._refuse(*fault)
                    return
                made = stub.made.setdefault(said[1], f"I{len(stub.made) + 1}")
                if fault == "lost":
                    self.close_connection = True
                    return
                self._answer(201, f"<Invalidation><Id>{made}</Id><Status>InProgress</Status></Invalidation>")

            def do_GET(self) -> None:
                stub.polls += 1
                if stub.plan:
                    fault = stub.plan.pop(0)
                    assert isinstance(fault, tuple)
                    self._refuse(*fault)
                    return
                self._answer(200, f"<Invalidation><Id>I1</Id><Status>{stub.status}</Status></Invalidation>")

            def _refuse(self, status: int, code: str) -> None:
                self._answer(
                    status,
                    f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no, {code}</Message></Error>"
                    "<RequestId>1</RequestId></ErrorResponse>",
                )

            def _answer(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def cloudfront(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubCloudFront]:
    stub = StubCloudFront()
    # Every service's endpoint is CloudFront's too, when nothing more particular is said.
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
    yield stub
    stub.stop()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def cdn(cloudfront: StubCloudFront, waits: list[float]) -> Iterator[CloudFront]:
    with CloudFront(DISTRIBUTION, sleep=waits.append) as made:
        yield made


ONE = Invalidation(("/static/a.css",))


def test_earlier_invalidations_are_given_time(cloudfront: StubCloudFront, cdn: CloudFront, waits: list[float]) -> None:
    cloudfront.plan = [(400, "TooManyInvalidationsInProgress")] * 3
    assert cdn.invalidate(ONE) == "I1"
    assert waits == [5.0, 10.0, 20.0]
    assert len(cloudfront.references) == 4


def test_earlier_invalidations_are_not_given_all_day(
    cloudfront: StubCloudFront, cdn: CloudFront, waits: list[float]
) -> None:
    cloudfront.plan = [(400, "TooManyInvalidationsInProgress")] * 99
    with pytest.raises(CdnError, match="Too many others were in progress"):
        cdn.invalidate(ONE)
    assert sum(waits) == 255
    assert len(cloudfront.references) == 8


def test_throttling_is_tried_again(cloudfront: StubCloudFront, cdn: CloudFront, waits: list[float]) -> None:
    cloudfront.plan = [(400, "Throttling")]
    assert cdn.invalidate(ONE) == "I1"
    assert len(cloudfront.references) == 2
    assert waits == []  # botocore's own pauses


def test_a_lost_answer_does_not_make_two(cloudfront: StubCloudFront, cdn: CloudFront) -> None:
    cloudfront.plan = ["lost"]
    assert cdn.invalidate(ONE) == "I1"
    assert cdn.invalidate(ONE) == "I1"
    assert len(cloudfront.references) == 3
    assert list(cloudfront.made.values()) == ["I1"]


def test_the_next_run_s_invalidation_of_the_same_paths_is_another(cloudfront: StubCloudFront, cdn: CloudFront) -> None:
    assert cdn.invalidate(ONE) == "I1"
    assert cdn.invalidate(Invalidation(("/static/b.css",))) == "I2"
    with CloudFront(DISTRIBUTION) as later:
        assert later.invalidate(ONE) == "I3"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (
            "AccessDenied",
            f"need cloudfront:CreateInvalidation on arn:aws:cloudfront::ACCOUNT:distribution/{DISTRIBUTION}",
        ),
        ("ExpiredToken", "have expired: get new ones"),
        ("InvalidClientTokenId", "does not know this AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY does not belong"),
        ("InvalidArgument", "no, InvalidArgument"),
    ],
)
def test_refusals_teach(cloudfront: StubCloudFront, cdn: CloudFront, code: str, advice: str) -> None:
    cloudfront.plan = [(403 if code == "AccessDenied" else 400, code)]
    with pytest.raises(CdnError) as caught:
        cdn.invalidate(ONE)
    assert advice in str(caught.value)
    assert f"CloudFront did not take the invalidation: {code} (no, {code}). " in str(caught.value)
    assert str(caught.value).endswith(f"create-invalidation --distribution-id {DISTRIBUTION} --paths /static/a.css")
    assert len(cloudfront.references) == 1


def test_no_credentials(cloudfront: StubCloudFront, cdn: CloudFront, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CdnError, match="Unable to locate credentials"):
        cdn.invalidate(ONE)
    assert cdn.wait("I1") is False


def test_no_botocore(cdn: CloudFront, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "botocore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(CdnError, match="pip install 'django-faas"):
        cdn.invalidate(ONE)


def test_a_profile_that_is_not_there(cdn: CloudFront, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CdnError, match="nobody"):
        cdn.invalidate(ONE)


def test_an_endpoint_that_is_no_url(cdn: CloudFront, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", "127.0.0.1")
    with pytest.raises(CdnError, match="Invalid endpoint"):
        cdn.invalidate(ONE)


def test_nobody_there(cdn: CloudFront, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", "http://127.0.0.1:9")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with pytest.raises(CdnError, match="Could not connect"):
        cdn.invalidate(ONE)


def test_waiting_ends_with_its_time(cloudfront: StubCloudFront, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("static_sync.cdn.time", SimpleNamespace(monotonic=lambda: clock[0]))

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    cloudfront.status = "InProgress"
    with CloudFront(DISTRIBUTION, sleep=sleep) as cdn:
        assert cdn.wait("I1", timeout=12, every=5) is False
    assert (cloudfront.polls, clock) == (3, [1010.0])


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (404, "NoSuchInvalidation")])
def test_waiting_never_raises(cloudfront: StubCloudFront, cdn: CloudFront, status: int, code: str) -> None:
    cloudfront.plan = [(status, code)]
    assert cdn.wait("I1", timeout=5, every=0.01) is False
    assert cdn.wait("I1", timeout=5, every=0.01) is True


def test_china_is_asked_in_china(cloudfront: StubCloudFront, waits: list[float]) -> None:
    cloudfront.plan = [(403, "AccessDenied")]
    with (
        CloudFront(DISTRIBUTION, region="cn-north-1") as cdn,
        pytest.raises(CdnError, match="on arn:aws-cn:cloudfront::"),
    ):
        cdn.invalidate(ONE)
