"""The page of a claims file: one HTML document that needs no network, pictures included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from lrsym.claims.chart import COLOURS, plot_claim
from lrsym.claims.file import ClaimsFile
from lrsym.claims.judging import JudgedClaim, count_verdicts
from lrsym.claims.report import (
    describe_gaps,
    describe_ledger,
    describe_shortage,
    describe_tolerance,
    format_estimate,
    format_n,
    format_range,
)
from lrsym.errors import UsageError
from lrsym.results.pages.render import render, svg_address
from lrsym.results.plots.save import as_svg
from lrsym.results.plots.theme import Chart, in_theme, recoloured
from lrsym.vocabulary import INTERVALS, VERDICTS, by_name

SYMBOLS = by_name(VERDICTS, {"supported": "\u2713", "refuted": "\u2717", "undecided": "?", "untestable": "\u2013"})
"""Of the verdicts, for readers who do not see their colours."""


@dataclass(frozen=True)
class Section:
    """A claim on the page: its verdicts, the command that asks it again, and for each arm a picture or why not."""

    judged: JudgedClaim
    command: str
    pictures: Mapping[str, Chart | UsageError] = field(default_factory=dict)


def render_page(
    file: ClaimsFile, sections: Sequence[Section], *, results: str, command: str, theme: str = "light"
) -> str:
    """Return the page of the claims of `file`, asked of the store `results`; `command` asks all of it again."""
    judged = [section.judged for section in sections]
    return render(
        "claims/page.html",
        theme=theme,
        title=f"Claims: {file.name}",
        file=str(file.path),
        results=results,
        command=command,
        version=version("lrsym"),
        counts=count_verdicts(judged),
        arms=list(dict.fromkeys(arm.name for claim in judged for arm in claim.arms)),
        sections=[_section_values(section, theme) for section in sections],
        colours=recoloured(COLOURS, theme),
        symbols=SYMBOLS,
        sentences=VERDICTS,
        kinds_of=lambda claim: "; ".join(dict.fromkeys(INTERVALS[claim.interval_of(part)] for part in claim.part)),
        format_range=format_range,
        format_estimate=format_estimate,
        format_n=format_n,
        describe_ledger=describe_ledger,
        describe_shortage=describe_shortage,
        describe_tolerance=describe_tolerance,
        corrected=count_verdicts(judged, corrected=True),
        describe_gaps=describe_gaps,
    )


def _section_values(section: Section, theme: str) -> dict[str, Any]:
    judged = section.judged
    return {
        "claim": judged.claim,
        "arms": judged.arms,
        "by_arm": {arm.name: arm for arm in judged.arms},
        "note": [text for text in judged.claim.note.split("\n\n") if text.strip()],
        "chart": _drawing(plot_claim(judged), theme),
        "pictures": [_picture_values(arm, picture, theme) for arm, picture in section.pictures.items()],
        "command": section.command,
    }


def _picture_values(arm: str, picture: Chart | UsageError, theme: str) -> dict[str, str]:
    if isinstance(picture, UsageError):
        return {"arm": arm, "address": "", "reason": f"No picture: {picture}"}
    return {"arm": arm, "address": _drawing(picture, theme), "reason": ""}


def _drawing(chart: Chart, theme: str) -> str:
    return svg_address(as_svg(in_theme(chart, theme)))
