"""Two themes: what is read stands out from what it lies on in both, and nothing but colours differs."""

import pytest

from lrsym.claims.chart import COLOURS as VERDICT_COLOURS
from lrsym.errors import UsageError
from lrsym.explain.term_charts import TERM_COLOURS
from lrsym.results.plots import palette
from lrsym.results.plots.boundary_rows import COLOURS as BOUNDARY_COLOURS
from lrsym.results.plots.cost import OUTCOME_COLOURS
from lrsym.results.plots.curves import SPLIT_COLOURS
from lrsym.results.plots.mechanism_map import PATH_COLOURS
from lrsym.results.plots.palette import THEMES, colour_in, contrast, is_dark, recoloured
from lrsym.results.plots.phase_shown import PHASE_COLOURS

TEXT, MARK = 4.5, 3.0
"""Least contrasts by the WCAG 2.2, of texts (1.4.3) and of marks that one must see (1.4.11)."""

TEXTS = [palette.INK, palette.MUTED]
FIELDS = [*PHASE_COLOURS.values(), *PATH_COLOURS.values()]
LINES = [palette.LINE, palette.ALARM, *SPLIT_COLOURS.values(), *VERDICT_COLOURS.values(), *BOUNDARY_COLOURS]
FILLED = [*FIELDS, *OUTCOME_COLOURS.values(), *TERM_COLOURS.values(), palette.BAR, palette.GREY_BAR]


def test_contrast_is_that_of_the_wcag():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == contrast("#ffffff", "#777777") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", [palette.PAPER, palette.SOFT])
@pytest.mark.parametrize("text", TEXTS)
def test_text_reads_on_paper(theme, ground, text):
    assert contrast(colour_in(theme, text), colour_in(theme, ground)) >= TEXT


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_lines_and_points_stand_out_from_paper(theme, line):
    assert contrast(colour_in(theme, line), colour_in(theme, palette.PAPER)) >= MARK


@pytest.mark.parametrize("filled", dict.fromkeys(FILLED))
def test_fields_and_bars_stand_out_from_dark_paper(filled):
    assert contrast(colour_in("dark", filled), colour_in("dark", palette.PAPER)) >= MARK


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("field", dict.fromkeys(FIELDS))
def test_text_reads_on_every_field(theme, field):
    shown = colour_in(theme, field)
    assert contrast(shown, "#ffffff" if is_dark(shown) else palette.ON_LIGHT) >= TEXT


@pytest.mark.parametrize("bar", [palette.BAR, palette.GREY_BAR])
def test_text_and_rules_on_bars_stand_out(bar):
    for theme in THEMES:
        assert contrast(colour_in(theme, palette.INK), colour_in(theme, bar)) >= MARK


def test_hatches_are_seen_on_dark_paper_and_grids_lie_behind_them():
    paper = colour_in("dark", palette.PAPER)
    grid, hatch = (contrast(colour_in("dark", colour), paper) for colour in (palette.GRID, palette.FAINT))
    assert 1.2 < grid < 2 < hatch


def test_verdicts_on_a_dark_page_carry_dark_text():
    colours = palette.page_colours("dark")
    assert all(contrast(colour_in("dark", one), colours["on-mark"]) >= TEXT for one in VERDICT_COLOURS.values())


def test_what_is_dark_stays_as_it_is():
    once = recoloured({"a": [*palette.DARK, palette.LINES, palette.VALUES, palette.VALUES_DOWN]}, "dark")
    assert recoloured(once, "dark") == once


def test_another_theme_is_refused():
    with pytest.raises(UsageError, match="theme must be one of light, dark, got sepia; choose one of them"):
        palette.check_theme("sepia")
