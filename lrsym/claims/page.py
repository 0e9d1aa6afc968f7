"""The page of a claims file: one HTML document that needs no network, pictures included."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.metadata import version
from typing import Any

import jinja2

from lrsym.claims.chart import COLOURS, plot_claim
from lrsym.claims.file import ClaimsFile
from lrsym.claims.judging import JudgedClaim, counts
from lrsym.claims.report import claimed, estimated, gaps, replicates, shortage
from lrsym.results.plots import theme
from lrsym.vocabulary import INTERVALS, VERDICTS

SYMBOLS = dict(zip(VERDICTS, ("\u2713", "\u2717", "?"), strict=True))
"""Of the verdicts, for readers who do not see their colours."""


@dataclass(frozen=True)
class Section:
    """A claim on the page: its verdicts, the command that asks it again, and for each arm a picture or why not."""

    judged: JudgedClaim
    command: str
    pictures: Mapping[str, theme.Drawn | str] = field(default_factory=dict)


def render(file: ClaimsFile, sections: Sequence[Section], *, results: str, command: str) -> str:
    """The document; `command` asks all of it again."""
    template = resources.files("lrsym.claims").joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.globals.update(
        claimed=claimed, estimated=estimated, shortage=shortage, replicates=replicates, gaps=gaps,
        colours=COLOURS, symbols=SYMBOLS, sentences=VERDICTS, intervals=INTERVALS,
    )  # fmt: skip
    judged = [section.judged for section in sections]
    return environment.from_string(template).render(
        name=file.name,
        file=str(file.path),
        results=results,
        command=command,
        version=version("lrsym"),
        counts=counts(judged),
        arms=list(dict.fromkeys(arm.name for one in judged for arm in one.arms)),
        sections=[_context(section) for section in sections],
    )


def _context(section: Section) -> dict[str, Any]:
    pictures = [
        {"arm": arm, "image": None if isinstance(drawn, str) else _image(drawn), "why": drawn}
        for arm, drawn in section.pictures.items()
    ]
    return {
        "claim": section.judged.claim,
        "arms": section.judged.arms,
        "by_arm": {arm.name: arm for arm in section.judged.arms},
        "note": [text for text in section.judged.claim.note.split("\n\n") if text.strip()],
        "chart": _image(plot_claim(section.judged)),
        "pictures": pictures,
        "command": section.command,
    }


def _image(chart: theme.Drawn) -> str:
    """The picture as the address of an image: inside an <img> the names in one SVG do not meet those in another."""
    return "data:image/svg+xml;base64," + base64.b64encode(theme.as_svg(chart).encode()).decode()
