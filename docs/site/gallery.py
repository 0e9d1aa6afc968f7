"""The gallery: pictures of the committed rows, each drawn by the command that stands beside it."""

import contextlib
import io
import json
import re
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path

import altair as alt

from docs.site.layout import ROOT
from lrsym.cli.app import app
from lrsym.results.plots.save import as_svg

PAGE = ROOT / "docs/gallery.md"
FOLDER = ROOT / "docs/pictures/gallery"


@dataclass(frozen=True)
class Picture:
    """A picture of the gallery: the name of its file, its heading, the command that draws it, what it is for."""

    name: str
    title: str
    command: str
    sentence: str

    @property
    def path(self) -> Path:
        """The committed file."""
        return FOLDER / f"{self.name}.svg"


_REFERENCE = "--results results/reference"
_LABELS = f"sweeps/labels_by_layouts.toml {_REFERENCE}"

PICTURES = (
    Picture(
        "phase",
        "A phase diagram",
        f"lrsym plot phase {_LABELS}",
        "Left: the mean of a metric in each cell, over its seeds. Right: the phase that follows from it.",
    ),
    Picture(
        "phase-steps",
        "How long it takes",
        f"lrsym plot phase {_LABELS} --metric steps_to_unseen_order",
        "Any column of numbers: the median over seeds, by ratio. Hatched where half of them or more never get there.",
    ),
    Picture(
        "phase-minus",
        "Two sweeps, one minus the other",
        "lrsym plot phase sweeps/labels_by_layouts.toml sweeps/pytorch_start_layouts.toml --minus "
        f'--where "weight_decay = 0.2" {_REFERENCE}',
        "Paired by seed: each cell has its difference with the 95 % interval, and a frame where that leaves out 0.",
    ),
    Picture(
        "probabilities",
        "The probability of each phase",
        f"lrsym plot probabilities {_LABELS}",
        "Each cell is filled by the phases of its seeds; the commonest has its share and interval "
        "([boundaries](boundaries.md)).",
    ),
    Picture(
        "boundary",
        "A boundary",
        f"lrsym plot boundary {_LABELS} --x n_pair_labels --by layouts_per_pair",
        "Where along an axis half of the seeds reach 0.9, with intervals ([boundaries](boundaries.md)).",
    ),
    Picture(
        "line",
        "Means along an axis",
        f"lrsym plot line {_LABELS} --x n_pair_labels --color layouts_per_pair "
        "--metric single_inset,seen_inset,unseen_inset",
        "The paper's main figure: a panel for each metric, a line for each value of another axis, 95 % bands.",
    ),
    Picture(
        "curves",
        "Learning curves",
        'lrsym plot curves sweeps/dropout.toml --where "batch_size = 256" --results results/dropout',
        "Every split over steps: the mean over seeds, in a band from the lowest to the highest.",
    ),
    Picture(
        "ablation",
        "What is left without a term",
        f"lrsym plot ablation sweeps/recipe.toml {_REFERENCE}",
        "Accuracy as trained and with terms of the scores left out at inference, a dot for each seed.",
    ),
    Picture(
        "profile",
        "Profiles of the score terms",
        f"lrsym plot profile sweeps/recipe.toml {_REFERENCE}",
        "What a term adds to the attention of [CLS] on each pixel, for every seed and head.",
    ),
    Picture(
        "mechanism",
        "By which path order is read",
        "lrsym plot mechanism sweeps/atlas.toml --x init_position_std --y embedding_scale "
        '--where "n_pair_labels = 5 and layouts_per_pair = 20" --results results/atlas',
        "Each cell is filled by the paths of its seeds ([mechanisms](mechanisms.md)).",
    ),
    Picture(
        "onset",
        "What comes first along training",
        "lrsym plot onset sweeps/onset.toml --results results/onset",
        "Order, attention by side and the path of each seed, by step ([along training](along_training.md)).",
    ),
    Picture(
        "symmetry",
        "An order parameter",
        "lrsym plot symmetry sweeps/symmetry.toml --results results/onset",
        "Moments of the signed slope over seeds, along an axis, by size ([along training](along_training.md)).",
    ),
    Picture(
        "search",
        "A search",
        "lrsym plot search sweeps/rates.toml --results results/search",
        "How it went, which axes decide, the objective along each ([searches](search.md)).",
    ),
    Picture(
        "phase-search",
        "Cells that lie scattered",
        "lrsym plot phase sweeps/rates.toml --results results/search",
        "Cells of a search share next to no values: each is a point, coloured by its mean and by its phase.",
    ),
    Picture(
        "contrast",
        "A contrast",
        f"lrsym plot contrast {_LABELS} --of layouts_per_pair=20 --against layouts_per_pair=5 "
        "--metric unseen_inset --by n_pair_labels",
        "The difference between two values of an axis, paired by seed and all other axes, with its 95 % interval.",
    ),
    Picture(
        "dark",
        "The dark theme",
        'lrsym plot curves sweeps/dropout.toml --where "batch_size = 256 and dropout = 0.1" --results results/dropout '
        "--theme dark",
        'Every picture and page in dark colours, for a dark slide or site; `theme="dark"` in Python.',
    ),
    Picture(
        "cost",
        "Where the hours went",
        f"lrsym plot cost {_LABELS}",
        "Hours by what came of the trials, and what one trial takes along an axis.",
    ),
)


_SHAPE, _DIGITS = re.compile(r' (?:d|transform)="[^"]*"'), re.compile(r"(\d\.\d\d)\d+")
"""Coordinates of lines, which need no more digits than a screen has pixels, unlike the numbers in labels."""


def draw(picture: Picture) -> str:
    """Return the picture as its command draws it, as SVG, without the lines below it that tell command and date."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(ROOT), contextlib.redirect_stdout(io.StringIO()):
        stem = Path(folder, picture.name)
        app([*shlex.split(picture.command)[1:], "--out", str(stem)], standalone_mode=False)
        chart = json.loads(stem.with_name(f"{stem.name}.vl.json").read_text())
    chart["vconcat"].pop()
    return _SHAPE.sub(lambda shape: _DIGITS.sub(r"\1", shape[0]), as_svg(alt.VConcatChart.from_dict(chart)))


def draw_all() -> None:
    """Draw every picture of the gallery again, and remove what is none."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in {*FOLDER.iterdir()} - {picture.path for picture in PICTURES}:
        old.unlink()
    for picture in PICTURES:
        picture.path.write_text(draw(picture))


def as_markdown() -> str:
    """Return the page of the gallery."""
    parts = [
        "# Gallery",
        "Pictures of the committed rows: each takes its command and no training. `python -m docs.site gallery` draws\n"
        "them again, and a test holds every number in them to the rows.",
    ]
    for picture in PICTURES:
        link = f"![{picture.title}]({picture.path.relative_to(PAGE.parent)})"
        parts += [f"## {picture.title}", picture.sentence, f"```sh\n{picture.command}\n```", link]
    return "\n\n".join(parts) + "\n"
