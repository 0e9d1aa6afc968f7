"""Pages of documentation as tests read them: prose, tables, and the numbers that no sentence of a test accounts for."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent


def text(page):
    """Return the text of `page`, a path from the root, with every run of white space as one blank."""
    return " ".join((ROOT / page).read_text().split())


def table(page, heading):
    """Return the cells of the table of `page` whose first row is `heading`, row by row."""
    lines = (ROOT / page).read_text().splitlines()
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[lines.index(heading) + 2 :])
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def headings(page):
    """Return the first rows of all tables of `page`."""
    return re.findall(r"^(\|.*\|)\n\|[-|: ]+\|$", (ROOT / page).read_text(), flags=re.MULTILINE)


def unchecked(page, *, sentences: Iterable[str], settings: Iterable[str]):
    """Return the decimal numbers in the prose of `page` that are in none of `sentences` and no setting.

    Code, tables and link targets are left out.
    """
    prose = re.sub(r"^```.*?^```$|^\|.*\|$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    prose = " ".join(re.sub(r"`[^`]*`|\]\([^)]*\)", "", prose).split())
    for sentence in sentences:
        prose = prose.replace(re.sub(r"`[^`]*`", "", sentence), "")
    return [number for number in re.findall(r"\d+\.\d+", prose) if number not in {*settings}]
