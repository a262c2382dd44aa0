from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from static_sync.exceptions import SourceError
from static_sync.inventory import StaticFile
from static_sync.plan import MAX_COPY, Plan, make_plan
from static_sync.release import Needed, Record, headers_digest, record_of
from static_sync.stage import Stage
from static_sync.stores.contract import ABSENT, Headers, RemoteObject

PREFIX = "static/"
DIGESTS = ["0" * 32, "1" * 32]
HEADERS = [Headers("text/css", "public, max-age=60"), Headers("text/css", "no-cache")]
DIGESTED = [headers_digest(headers) for headers in HEADERS]

files = st.lists(
    st.builds(
        StaticFile,
        name=st.text("ab/.", min_size=1, max_size=4),
        path=st.just("/x"),
        size=st.integers(0, 1),
        md5=st.sampled_from(DIGESTS),
        headers=st.sampled_from(HEADERS),
        stage=st.sampled_from(Stage),
        encodings=st.sampled_from([(), (), ("br",), ("br", "gzip")]),
    ),
    unique_by=lambda file: file.name,
)
names = st.text("ab/.", min_size=1, max_size=4)
objects = st.dictionaries(
    names.map(lambda name: PREFIX + name),
    st.builds(RemoteObject, etag=st.sampled_from([*DIGESTS, "0-2"]), size=st.integers(0, 1)),
)
needed = st.builds(
    Needed,
    headers=st.sampled_from(DIGESTED),
    encodings=st.sampled_from([(), ("br",)]),
    md5=st.sampled_from([None, *DIGESTS]),
    etag=st.sampled_from([None, "0-2"]),
)
records = st.none() | st.builds(Record, hashed=st.dictionaries(names, needed), unhashed=st.just({}))


def file(name: str = "a.css", **fields: object) -> StaticFile:
    made = StaticFile(name, "/x", 1, DIGESTS[0], HEADERS[0], Stage.UNHASHED)
    return made._replace(**fields)  # type: ignore[arg-type]


@given(files, objects, records)
def test_a_plan_makes_the_bucket_whole_and_does_nothing_else(
    have: list[StaticFile], there: dict[str, RemoteObject], base: Record | None
) -> None:
    plan = make_plan(have, there, base, PREFIX)
    known = base or Record()
    wanted = {PREFIX + file.name: file for file in have}
    steps = {step.key: step for step in plan.steps}
    assert steps.keys() <= wanted.keys()
    assert plan.unchanged + len(steps) == len(have)
    for key, one in wanted.items():
        step, was, entry = steps.get(key), there.get(key), known.get(one.name)
        if was is None:
            assert step is not None
            assert (step.reason, step.condition) == ("new", ABSENT)
            continue
        digest_known = entry is not None and (entry.etag, entry.md5) == (was.etag, one.md5)
        if was.size != one.size or (was.etag != one.md5 and not digest_known):
            assert step is not None
            assert (step.reason, step.condition) == ("changed", was.etag)
        elif entry is None or entry.headers != headers_digest(one.headers):
            assert step is not None
            assert (step.reason, step.condition) == ("headers", was.etag)
        elif set(one.encodings) > set(entry.encodings):
            assert step is not None
            assert step.reason == "variants"
        else:
            assert step is None
    assert [step.file.stage for step in plan.steps] == sorted(step.file.stage for step in plan.steps)


@given(files, objects, records)
def test_a_second_run_has_nothing_to_do(
    have: list[StaticFile], there: dict[str, RemoteObject], base: Record | None
) -> None:
    plan = make_plan(have, there, base, PREFIX)
    after = {**there, **{PREFIX + file.name: RemoteObject(file.md5, file.size) for file in have}}
    record = record_of(have, plan.found, encryption="", with_contents=True)
    again = make_plan(have, after, record, PREFIX)
    assert (again.steps, again.outdated) == ((), ())


def outdated(plan: Plan) -> list[str]:
    return [one.key for one in plan.outdated]


def test_what_a_cdn_has_to_forget() -> None:
    there = {"static/a.css": RemoteObject(DIGESTS[0], 1)}
    current = Record("release", {}, {"a.css": Needed(DIGESTED[0], (), DIGESTS[0])})
    assert outdated(make_plan([file()], {}, None, PREFIX)) == []  # nobody can have asked for it
    assert outdated(make_plan([file()], there, current, PREFIX)) == []
    assert outdated(make_plan([file(md5=DIGESTS[1])], there, current, PREFIX)) == ["static/a.css"]
    assert outdated(make_plan([file(headers=HEADERS[1])], there, current, PREFIX)) == ["static/a.css"]
    # The bucket is right, and the record says that the CDN was told of another content: a run was broken off.
    assert outdated(make_plan([file(md5=DIGESTS[1])], {"static/a.css": RemoteObject(DIGESTS[1], 1)}, current, PREFIX))
    assert outdated(make_plan([file()], there, None, PREFIX)) == ["static/a.css"]  # nobody knows
    assert outdated(make_plan([file(stage=Stage.MANIFEST)], there, None, PREFIX)) == []
    assert outdated(make_plan([file(stage=Stage.HASHED)], there, None, PREFIX)) == []
    with_variants = make_plan([file(encodings=("br",))], there, current, PREFIX)
    assert outdated(with_variants) == ["static/a.css", "static/a.css.br"]
    assert [one.same_headers for one in with_variants.outdated] == [True, True]


def test_variants_of_an_older_content_are_stale() -> None:
    there = {key: RemoteObject(DIGESTS[1], 1) for key in ("static/a.css", "static/a.css.br", "static/a.css.gz")}
    base = Record("release", {}, {"a.css": Needed(DIGESTED[0], ("br", "gzip"))})
    (step,) = make_plan([file()], there, base, PREFIX).steps
    assert step.stale == ("static/a.css.br", "static/a.css.gz")
    # One that lies in the source is a file like any other, and one that we did not put is not ours.
    plan = make_plan([file(), file("a.css.gz")], there, base, PREFIX)
    assert [step.stale for step in plan.steps] == [("static/a.css.br",), ()]
    (step,) = make_plan([file()], there, None, PREFIX).steps
    assert step.stale == ()


def test_variants_are_claimed_by_their_file() -> None:
    there = {"static/a.css": RemoteObject(DIGESTS[0], 1), "static/a.css.br": RemoteObject(DIGESTS[0], 1)}
    assert make_plan([file(encodings=("br",))], there, None, PREFIX).unclaimed == 0
    assert make_plan([file()], there, None, PREFIX).unclaimed == 1


def test_what_is_too_large_to_copy_is_sent_again() -> None:
    there = {"static/a.css": RemoteObject(DIGESTS[0], MAX_COPY + 1)}
    (step,) = make_plan([file(size=MAX_COPY + 1)], there, None, PREFIX).steps
    assert (step.reason, step.condition) == ("changed", DIGESTS[0])


def test_a_key_that_is_too_long_is_refused() -> None:
    long = file("ü" * 509)
    with pytest.raises(SourceError, match="1024 bytes"):
        make_plan([long], {}, None, PREFIX)
    assert make_plan([long], {}, None, "").steps[0].key == long.name


def test_the_place_of_the_records_is_not_for_files() -> None:
    with pytest.raises(SourceError, match="release records"):
        make_plan([file(".static-sync/00000001.json")], {}, None, PREFIX)
