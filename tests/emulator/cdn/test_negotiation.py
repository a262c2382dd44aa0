from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cdn.negotiation import preferred

ALL = ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        ("gzip, deflate, br, zstd", ALL, "br"),
        ("gzip, deflate, br, zstd", ("zstd", "gzip"), "zstd"),
        ("gzip, deflate, br", ("zstd", "gzip"), "gzip"),
        ("gzip, deflate", ("br",), None),
        ("gzip, br", (), None),
        ("", ALL, None),
        ("BR", ALL, "br"),
        ("br ; q=0.8 ,\tgzip;q=0.9", ALL, "gzip"),
        ("br;q=0.80,gzip;Q=0.800", ALL, "br"),
        ("br;q=0, gzip", ALL, "gzip"),
        ("br;q=0.000", ALL, None),
        ("br;q=0.001", ALL, "br"),
        ("*", ALL, "br"),
        ("*;q=0", ALL, None),
        ("*;q=0.5, br;q=0", ALL, "zstd"),
        ("gzip;q=0.2, *;q=0.1", ALL, "gzip"),
        ("x-gzip", ALL, "gzip"),
        # The plain file counts where it is spoken of.
        ("identity", ALL, None),
        ("identity;q=1, *;q=0", ALL, None),
        ("br;q=0.5, identity", ALL, None),
        ("br;q=0.5, identity;q=0.5", ALL, "br"),
        ("gzip;q=0.3, *;q=0.5", ("gzip",), None),
        ("gzip, identity;q=0", ALL, "gzip"),
        ("identity;q=0", ALL, None),
        # Elements that are no HTTP.
        ("br;q=2, gzip;q=0.5", ALL, "gzip"),
        ("br;q=, gzip", ALL, "gzip"),
        ("br;level=3, gzip", ALL, "gzip"),
        ("b r, gzip", ALL, "gzip"),
        (",, gzip ,", ALL, "gzip"),
    ],
)
def test_the_preferred_coding(accept: str, stored: tuple[str, ...], expected: str | None) -> None:
    assert preferred(accept, stored) == expected


weights = st.integers(0, 1000).map(lambda n: n / 1000)


@given(
    said=st.dictionaries(st.sampled_from([*ALL, "deflate", "identity", "*"]), weights),
    stored=st.lists(st.sampled_from(ALL), unique=True).map(lambda found: [name for name in ALL if name in found]),
)
def test_nothing_is_preferred_that_is_refused_or_wanted_less(said: dict[str, float], stored: list[str]) -> None:
    chosen = preferred(", ".join(f"{name};q={weight:.3f}" for name, weight in said.items()), stored)
    wanted = {name: said.get(name, said.get("*", 0)) for name in stored}
    if chosen is None:
        assert all(weight == 0 or weight < said.get("identity", said.get("*", 0)) for weight in wanted.values())
    else:
        assert wanted[chosen] == max(wanted.values()) > 0
        assert wanted[chosen] >= said.get("identity", 0)


@given(st.text())
def test_whatever_a_client_sends_is_answered(accept: str) -> None:
    assert preferred(accept, ALL) in {None, *ALL}
