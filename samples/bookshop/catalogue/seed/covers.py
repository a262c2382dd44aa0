"""Book covers, drawn: a pattern, a palette and a layout chosen by the book's slug, and the title set in its own script.

The same book gets the same cover on every machine: nothing here asks the clock, the system's fonts or its text shaper.
"""

import math
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

FONTS = Path(__file__).parent / "fonts"
WIDTH, HEIGHT = 480, 720
# Pillow draws shapes without smoothing, so everything is drawn this much larger and scaled down at the end.
SCALE = 2
W, H = WIDTH * SCALE, HEIGHT * SCALE
MARGIN = 76

SCRIPT_FONTS = {
    "ar": "arabic",
    "fa": "arabic",
    "he": "hebrew",
    "hi": "devanagari",
    "ja": "japanese",
    "ka": "georgian",
    "ko": "korean",
    "zh-Hant": "chinese",
}
VERTICAL = {"ja", "zh-Hant"}

# Ground, letters, and three colours for the pattern.
PALETTES = (
    ("#f2c14e", "#1d2b28", "#d1495b", "#1d2b28", "#f7e6b5"),
    ("#123c36", "#f4f1e1", "#f2b134", "#e4572e", "#4f9d8b"),
    ("#e8e4d8", "#1b1f3b", "#e4572e", "#1b1f3b", "#8fa6cb"),
    ("#1b1f3b", "#f3efe0", "#f7b32b", "#5b7db1", "#d95d39"),
    ("#d95d39", "#fff4e0", "#41140d", "#f7b32b", "#fff4e0"),
    ("#c9d8c5", "#17352b", "#2f6b4f", "#e07a5f", "#f4f1de"),
    ("#3d2645", "#f6e7f0", "#f0a6ca", "#f7c548", "#832161"),
    ("#f5d5cb", "#3c1a2b", "#b23a48", "#3c1a2b", "#f19c79"),
    ("#0b4f6c", "#fbfbff", "#01baef", "#f2d0a4", "#f45b69"),
    ("#f7f3e8", "#222222", "#2a9d8f", "#e9c46a", "#e76f51"),
    ("#7a1f2b", "#fbeee0", "#f0b67f", "#d6d1b1", "#33090f"),
    ("#a9c6d9", "#132a3e", "#132a3e", "#f4f4f2", "#ee964b"),
)

Box = tuple[int, int, int, int]
Colours = tuple[str, str, str, str, str]
Pattern = Callable[[ImageDraw.ImageDraw, Box, Colours, Random], None]


def suns(draw: ImageDraw.ImageDraw, box: Box, colours: Colours, random: Random) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=colours[4])
    radius = (right - left) * random.uniform(0.28, 0.4)
    x, y = left + (right - left) * random.uniform(0.35, 0.65), top + (bottom - top) * random.uniform(0.35, 0.55)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[2])
    bars = random.randint(5, 8)
    start = y + radius * 0.1
    step = (bottom - start) / bars
    for bar in range(bars):
        edge = start + bar * step
        draw.rectangle((left, edge, right, edge + step * (0.25 + 0.6 * bar / bars)), fill=colours[3])


def tiles(draw: ImageDraw.ImageDraw, box: Box, colours: Colours, random: Random) -> None:
    left, top, right, bottom = box
    columns = random.choice((4, 5, 6))
    size = math.ceil((right - left) / columns)
    for row in range(math.ceil((bottom - top) / size)):
        for column in range(columns):
            x, y = left + column * size, top + row * size
            ground, shape = random.sample((*colours[2:], colours[0]), 2)
            draw.rectangle((x, y, x + size, y + size), fill=ground)
            dx, dy, angle = random.choice(((0, 0, 0), (1, 0, 90), (1, 1, 180), (0, 1, 270)))
            corner_x, corner_y = x + dx * size, y + dy * size
            draw.pieslice(
                (corner_x - size, corner_y - size, corner_x + size, corner_y + size), angle, angle + 90, fill=shape
            )


def waves(draw: ImageDraw.ImageDraw, box: Box, colours: Colours, random: Random) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=colours[4])
    radius = (right - left) * 0.13
    x, y = left + (right - left) * random.uniform(0.25, 0.75), top + (bottom - top) * 0.2
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[0])
    count = random.randint(5, 7)
    length = (right - left) / random.uniform(1.2, 2.6)
    for wave in range(count):
        level = top + (bottom - top) * (0.28 + 0.72 * wave / count)
        height = (bottom - top) * random.uniform(0.03, 0.06)
        shift = random.uniform(0, math.tau)
        crest = [(x, level + height * math.sin(x / length * math.tau + shift)) for x in range(left, right + 12, 12)]
        draw.polygon([*crest, (right, bottom), (left, bottom)], fill=colours[(2, 3, 1)[wave % 3]])


def arches(draw: ImageDraw.ImageDraw, box: Box, colours: Colours, random: Random) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=colours[4])
    columns = random.choice((1, 2, 3))
    width = (right - left) / columns
    rings = random.randint(4, 6)
    for column in range(columns):
        middle = left + width * (column + 0.5)
        start = top + (bottom - top) * (0.1 if columns == 1 else random.uniform(0.08, 0.4))
        for ring in range(rings):
            radius = width / 2 * (1 - ring / rings) * 0.94
            crown = start + width / 2
            fill = colours[(2, 4, 3, 0)[ring % 4]]
            draw.pieslice((middle - radius, crown - radius, middle + radius, crown + radius), 180, 360, fill=fill)
            draw.rectangle((middle - radius, crown, middle + radius, bottom), fill=fill)


def rays(draw: ImageDraw.ImageDraw, box: Box, colours: Colours, random: Random) -> None:
    left, top, right, bottom = box
    x, y = left + (right - left) * random.uniform(0.2, 0.8), bottom - (bottom - top) * random.uniform(0, 0.35)
    reach = 2 * (right - left + bottom - top)
    count = random.choice((18, 24, 30))
    for ray in range(count):
        one, two = (math.tau * (ray + side) / count for side in (0, 1))
        edge = [(x + reach * math.cos(angle), y + reach * math.sin(angle)) for angle in (one, two)]
        draw.polygon([(x, y), *edge], fill=colours[2 + ray % 2 * 2])
    for ring, radius in enumerate((0.27, 0.19, 0.1)):
        size = (right - left) * radius
        draw.ellipse((x - size, y - size, x + size, y + size), fill=colours[(3, 0, 2)[ring]])


def dots(draw: ImageDraw.ImageDraw, box: Box, colours: Colours, random: Random) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=colours[3])
    size = (right - left) / random.choice((9, 11, 13))
    focus = (left + (right - left) * random.uniform(0.1, 0.9), top + (bottom - top) * random.uniform(0.2, 0.9))
    far = math.hypot(right - left, bottom - top) * 0.8
    for row in range(math.ceil((bottom - top) / size) + 1):
        for column in range(math.ceil((right - left) / size) + 1):
            x, y = left + (column + row % 2 / 2) * size, top + (row + 0.5) * size
            radius = size * max(0.08, 0.62 * (1 - math.dist((x, y), focus) / far))
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[2 + (row + column) % 2 * 2])


def moons(draw: ImageDraw.ImageDraw, box: Box, colours: Colours, random: Random) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=colours[3])
    columns, rows = random.choice(((3, 4), (4, 5)))
    size = min((right - left) / columns, (bottom - top) / rows)
    across, down = (right - left) / columns, (bottom - top) / rows
    for cell in range(columns * rows):
        x, y = left + (cell % columns + 0.5) * across, top + (cell // columns + 0.5) * down
        radius = size * 0.38
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[2])
        shift = 2 * radius * (2 * cell / (columns * rows - 1) - 1)
        visible = (x - radius + max(shift, 0), y - radius, x + radius + min(shift, 0), y + radius)
        if visible[2] - visible[0] > 1:
            draw.ellipse(visible, fill=colours[4])


def towers(draw: ImageDraw.ImageDraw, box: Box, colours: Colours, random: Random) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=colours[4])
    count = random.randint(7, 11)
    width = (right - left) / count
    for tower in range(count):
        height = (bottom - top) * (0.3 + 0.6 * abs(math.sin(tower * random.uniform(0.6, 0.9) + 1)))
        x, roof = left + tower * width, bottom - height
        fill = colours[(2, 3, 0)[tower % 3]]
        draw.rectangle((x, roof + width / 2, x + width, bottom), fill=fill)
        draw.pieslice((x, roof, x + width, roof + width), 180, 360, fill=fill)
        draw.ellipse((x + width * 0.35, roof + width * 0.45, x + width * 0.65, roof + width * 0.75), fill=colours[4])


PATTERNS: tuple[Pattern, ...] = (suns, tiles, waves, arches, rays, dots, moons, towers)


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    # The basic layout engine is in every Pillow; the other needs a library that functions do not have.
    return ImageFont.truetype(FONTS / f"{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


def wrapped(text: str, face: ImageFont.FreeTypeFont, width: int, rtl: bool = False) -> list[str]:
    lines: list[str] = []
    # Right to left, the first word of the sentence is the last of the drawn string.
    for word in reversed(text.split(" ")) if rtl else text.split(" "):
        longer = (f"{word} {lines[-1]}" if rtl else f"{lines[-1]} {word}") if lines else word
        if lines and face.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def fitted(text: str, name: str, width: int, height: int, rtl: bool) -> tuple[list[str], ImageFont.FreeTypeFont, int]:
    """The largest setting of `text` that fits: its lines, its font, and the height of a line."""
    for size in range(190, 40, -6):
        face = font(name, size)
        lines = wrapped(text, face, width, rtl)
        leading = round(size * 1.08)
        if leading * len(lines) <= height and max(face.getlength(line) for line in lines) <= width:
            break
    return lines, face, leading


def draw_cover(title: str, author: str, language: str, slug: str, number: int) -> bytes:
    """A JPEG of WIDTH x HEIGHT pixels. `title` is in the order of the eye, right-to-left scripts already turned."""
    random = Random(slug)
    # Both run by the book's number, so that neighbours on the shelf differ, and slip by one each round, so that a
    # pattern meets its palette again only after them all.
    colours = PALETTES[(number * 5 + number // len(PALETTES)) % len(PALETTES)]
    pattern = PATTERNS[(number * 3 + number // len(PATTERNS)) % len(PATTERNS)]
    image = Image.new("RGB", (W, H), colours[0])
    draw = ImageDraw.Draw(image)
    small = font("sans", 42)
    script = SCRIPT_FONTS.get(language, "serif")
    byline = author.upper()

    if language in VERTICAL:
        column = 300
        pattern(draw, (0, 0, W - column, H), colours, random)
        draw.rectangle((W - column, 0, W, H), fill=colours[0])
        size = min(170, (H - 3 * MARGIN) // len(title))
        face = font(script, size)
        for place, letter in enumerate(title):
            draw.text((W - column / 2, MARGIN + size * (place + 0.5)), letter, colours[1], face, anchor="mm")
        lines = wrapped(byline, font("sans", 34), column - 40)
        for place, line in enumerate(reversed(lines)):
            draw.text((W - column / 2, H - MARGIN - 42 * place), line, colours[1], font("sans", 34), anchor="ms")
    else:
        rtl = script in ("arabic", "hebrew")
        lines, face, leading = fitted(title, script, W - 2 * MARGIN, round(H * 0.36), rtl)
        block = leading * len(lines) + 2 * MARGIN + 70
        on_top = number % 3 != 1
        art = (0, block, W, H) if on_top else (0, 0, W, H - block)
        pattern(draw, art, colours, random)
        start = 0 if on_top else H - block
        draw.rectangle((0, start, W, start + block), fill=colours[0])
        x, side = (W - MARGIN, "r") if rtl else (MARGIN, "l")
        draw.text((x, start + MARGIN + 24), byline, colours[1], small, anchor=f"{side}s")
        # A line's letters stand on its baseline, about four fifths down; Arabic has taller ones.
        ascent = 0.98 if script == "arabic" else 0.8
        for place, line in enumerate(lines):
            baseline = start + MARGIN + 60 + leading * place + round(leading * ascent)
            draw.text((x, baseline), line, colours[1], face, anchor=f"{side}s")

    buffer = BytesIO()
    image.reduce(SCALE).save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()
