"""Every relative link in the documents leads somewhere, and the index names every page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs" / "README.md"

_FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(`+).+?\1")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^()\s<>]*(?:\([^()\s]*\)[^()\s]*)*)>?\)")


def pages() -> list[Path]:
    """The documents of the repository; below ``samples/`` without what their virtual environments may hold."""
    samples = (
        path
        for path in (ROOT / "samples").rglob("README.md")
        if not {"node_modules", "site-packages", ".faas"} & set(path.parts)
    )
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(samples)]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a document in Markdown.

    Small letters, spaces as dashes, no other punctuation; the second heading of one name ends with ``-1``:
    https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links
    """
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def links(text: str) -> list[str]:
    """Where the relative links of a document lead, as they are written; none of those in code."""
    targets = _LINK.findall(_CODE.sub("", _FENCE.sub("", text)))
    return [target for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:|//", target)]


def broken(page: Path) -> Iterator[str]:
    """What is wrong with the links of ``page``, a sentence each."""
    text = page.read_text(encoding="utf-8")
    for target in links(text):
        name, _, anchor = target.partition("#")
        path = page.parent / unquote(name) if name else page
        if not path.exists():
            yield f"{target} leads to no file"
        elif anchor and unquote(anchor) not in anchors(path.read_text(encoding="utf-8")):
            yield f"{target} leads to no heading"


def test_every_link_leads_somewhere() -> None:
    assert [f"{page.relative_to(ROOT)}: {fault}" for page in pages() for fault in broken(page)] == []


def test_the_index_names_every_page() -> None:
    named = {(INDEX.parent / link.partition("#")[0]).resolve() for link in links(INDEX.read_text(encoding="utf-8"))}
    assert {path for path in INDEX.parent.glob("*.md") if path != INDEX} - named == set()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a](gone.md)", "gone.md leads to no file"),
        ("[a](other.md#gone)", "other.md#gone leads to no heading"),
        ("[a](#gone)", "#gone leads to no heading"),
        ("![a](gone.png)", "gone.png leads to no file"),
        ("[`a`](gone.md) in a [sentence](other.md)", "gone.md leads to no file"),
        ("# A\n```\n# B\n```\n[a](#b)", "#b leads to no heading"),
    ],
)
def test_a_broken_link_is_found(text: str, fault: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    (tmp_path / "other.md").write_text("# Other\n", encoding="utf-8")
    assert list(broken(page)) == [fault]


@pytest.mark.parametrize(
    "text",
    [
        "## What Django sees\n[a](#what-django-sees)",
        "## A balancer's `/health`\n## A balancer's `/health`\n[a](#a-balancers-health) [b](#a-balancers-health-1)",
        "[a](https://example.com/gone.md#gone) and [b](mailto:ada@example.com)",
        "`[a](gone.md)`\n```\n[a](gone.md)\n```",
        "[a](other.md#other), [a folder](.)",
    ],
)
def test_a_sound_link_is_left_alone(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    (tmp_path / "other.md").write_text("# Other\n", encoding="utf-8")
    assert list(broken(page)) == []
