"""Whether what is written on the page can be read: WCAG's 4.5 to 1, in light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import emulator.console

STYLE = (Path(emulator.console.__file__).parent / "page/style.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part)) for part in re.findall(r":root {(.*?)}", STYLE, re.DOTALL)
)
ON = {
    "surface": ("ink", "soft", "accent", "ok", "info", "warn", "bad"),
    "ground": ("ink", "soft", "accent", "ok", "info", "warn", "bad"),
    "raised": ("ink", "soft", "ok", "info", "warn", "bad"),
    "tint": ("ink", "soft", "accent", "ok", "info", "warn", "bad"),
    "bad-tint": ("ink", "soft", "bad"),
    "ice-tint": ("ice",),
    "accent": ("on-accent",),
    "ink": ("ground",),
}


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ON)
def test_text_stands_out_from_what_it_is_on(ground: str, scheme: dict[str, str]) -> None:
    for text in ON[ground]:
        dark, light = sorted((luminance(scheme[text]), luminance(scheme[ground])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {ground}"
