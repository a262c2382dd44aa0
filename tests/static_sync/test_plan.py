from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from static_sync.destination import Destination
from static_sync.exceptions import SourceError
from static_sync.inventory import SHORT, Stage, StaticFile
from static_sync.plan import make_plan
from static_sync.stores.contract import RemoteObject

DESTINATION = Destination("b", "static/")
DIGESTS = ["0" * 32, "1" * 32]

files = st.lists(
    st.builds(
        StaticFile,
        name=st.text("ab/.", min_size=1, max_size=4),
        path=st.just("/x"),
        size=st.integers(0, 1),
        md5=st.sampled_from(DIGESTS),
        content_type=st.just("text/css"),
        content_encoding=st.none(),
        cache_control=st.just(SHORT),
        stage=st.sampled_from(Stage),
    ),
    unique_by=lambda file: file.name,
)
objects = st.dictionaries(
    st.text("ab/.", min_size=1, max_size=4).map(lambda name: f"static/{name}"),
    st.builds(RemoteObject, etag=st.sampled_from([*DIGESTS, "0-2"]), size=st.integers(0, 1)),
)


@given(files, objects)
def test_a_plan_makes_the_bucket_whole_and_does_nothing_else(
    have: list[StaticFile], there: dict[str, RemoteObject]
) -> None:
    plan = make_plan(have, there, DESTINATION)
    wanted = {f"static/{file.name}": RemoteObject(file.md5, file.size) for file in have}
    uploads = {upload.key: RemoteObject(upload.file.md5, upload.file.size) for upload in plan.uploads}
    assert {**there, **uploads} == {**there, **wanted}
    assert all(there.get(key) != put for key, put in uploads.items())
    assert plan.unchanged + len(plan.uploads) == len(have)
    assert plan.unclaimed == len(there.keys() - wanted.keys())
    assert [upload.file.stage for upload in plan.uploads] == sorted(upload.file.stage for upload in plan.uploads)
    assert all((upload.reason == "new") == (upload.key not in there) for upload in plan.uploads)
    assert all(upload.key.startswith("static/") for upload in plan.uploads)


@given(files, objects)
def test_a_second_run_has_nothing_to_do(have: list[StaticFile], there: dict[str, RemoteObject]) -> None:
    after = {**there, **{f"static/{file.name}": RemoteObject(file.md5, file.size) for file in have}}
    assert make_plan(have, after, DESTINATION).uploads == ()


def test_a_key_that_is_too_long_is_refused() -> None:
    file = StaticFile("ü" * 509, "/x", 0, DIGESTS[0], "text/css", None, SHORT, Stage.UNHASHED)
    with pytest.raises(SourceError, match="1024 bytes"):
        make_plan([file], {}, DESTINATION)
    assert make_plan([file], {}, Destination("b", "")).uploads[0].key == file.name
