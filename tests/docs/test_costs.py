"""The amounts in the documents are what the formulas in ``docs/costs.md`` make of the prices and the sites there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
COSTS = (DOCS / "costs.md").read_text(encoding="utf-8")

Table = list[list[str]]


def tables(text: str) -> Iterator[Table]:
    """The tables of a document in Markdown: rows of cells, the header first."""
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
        yield [rows[0], *rows[2:]]


def table(text: str, header: str) -> Table:
    """The rows of the one table whose first column is headed ``header``, without that head."""
    (found,) = (rows for rows in tables(text) if rows[0][0] == header)
    return found[1:]


def number(cell: str) -> float:
    return float(cell.replace(",", ""))


def name(line: str) -> str:
    """What a line is called in the formulas of others: ``HTTP API`` is ``http_api``."""
    return re.sub(r"\W+", "_", line.lower().strip("*"))


def compute(text: str) -> dict[str, list[float]]:
    """What each line of the formulas comes to, in US dollars a month, for each site from left to right."""
    prices = {row[0].strip("`"): number(row[1]) for row in table(text, "price")}
    sites = table(text, "of a site")
    results: dict[str, list[float]] = {}
    for site in range(3):
        known = prices | {row[0].strip("`"): number(row[2 + site]) for row in sites}
        for line, formula in table(text, "line"):
            known[name(line)] = eval(formula.strip("`"), {"__builtins__": {}, "max": max, "min": min}, known)
            results.setdefault(name(line), []).append(known[name(line)])
    return results


def mistakes(text: str, results: dict[str, list[float]]) -> Iterator[str]:
    """Amounts in the document ``text`` that are not those of ``results``."""
    for rows in tables(text):
        if rows[0][0] == "US dollars a month":
            for line, *said in rows[1:]:
                computed = [f"{amount:,.2f}" for amount in results[name(line)]]
                if [amount.strip("*") for amount in said] != computed:
                    yield f"{line}: {', '.join(computed)}"


@pytest.mark.parametrize("page", ["costs.md", "databases.md"])
def test_the_amounts_follow_from_the_formulas(page: str) -> None:
    assert list(mistakes((DOCS / page).read_text(encoding="utf-8"), compute(COSTS))) == []


def test_every_line_has_its_amounts() -> None:
    said = {name(row[0]) for rows in tables(COSTS) if rows[0][0] == "US dollars a month" for row in rows[1:]}
    assert said == compute(COSTS).keys()


def test_every_name_means_one_thing_and_is_used() -> None:
    names = [row[0].strip("`") for header in ("price", "of a site") for row in table(COSTS, header)]
    names += [name(line) for line, _ in table(COSTS, "line")]
    assert len(names) == len(set(names))
    formulas = " ".join(formula for _, formula in table(COSTS, "line"))
    prices = [row[0].strip("`") for header in ("price", "of a site") for row in table(COSTS, header)]
    assert [price for price in prices if not re.search(rf"\b{price}\b", formulas)] == []


@pytest.mark.parametrize("header", ["price", "of a site", "line"])
def test_a_changed_cell_is_noticed(header: str) -> None:
    row = table(COSTS, header)[0]
    cell = row[1] if header != "of a site" else row[2]
    spoilt = f"{cell.strip('`')} + 1" if header == "line" else "12,345"
    changed = COSTS.replace(f"| {row[0]} | {row[1]} |", f"| {row[0]} | {row[1]} |".replace(cell, spoilt))
    if header == "of a site":
        changed = COSTS.replace(f"| {row[0]} | {row[1]} | {cell} |", f"| {row[0]} | {row[1]} | {spoilt} |")
    assert changed != COSTS
    assert list(mistakes(COSTS, compute(changed)))


@pytest.mark.parametrize("row", table(COSTS, "price"), ids=lambda row: row[0].strip("`"))
def test_every_price_names_its_page(row: list[str]) -> None:
    _, _, what, page, seen = row
    assert what
    assert re.fullmatch(r"\[[^\]]+\]\(https://[^)]+\)", page)
    assert seen
