"""The page of every verb: what its help says, its example, and its answer on the committed rows or its picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.main import get_command

from docs.site import gallery
from docs.site.answers import as_blocks
from docs.site.layout import ROOT
from lrsym.cli.app import VERBS, app
from lrsym.cli.examples import EXAMPLES

PAGE = ROOT / "docs/verbs.md"

ANSWERED = {
    "new": "lrsym new --list",
    "plan": "lrsym plan sweeps/recipe.toml --until 0.005 --metric unseen_order --results results/reference",
    "status": "lrsym status sweeps/labels_by_layouts.toml --results results/reference",
    "query": 'lrsym query "select n_pair_labels, avg(unseen_order) as mean, count(*) as n from trials group by 1 '
    'order by 1" --sweep sweeps/labels_by_layouts.toml --results results/reference',
    "contrast": "lrsym contrast sweeps/labels_by_layouts.toml --of layouts_per_pair=20 --against layouts_per_pair=5 "
    "--metric unseen_inset --results results/reference",
    "boundary": "lrsym boundary sweeps/labels_by_layouts.toml --x n_pair_labels --by layouts_per_pair "
    "--results results/reference",
    "best": "lrsym best sweeps/labels_by_layouts.toml -n 5 --metric unseen_order --results results/reference",
    "claims": "lrsym claims claims/recipe.toml --no-page --results results/reference",
    "check": "lrsym check --results results/reference",
    "diff": "lrsym diff results/reference results/dropout",
    "forget": 'lrsym forget sweeps/recipe.toml --where "seed < 2" --results results/reference',
    "axes": "lrsym axes decay",
    "columns": "lrsym columns confusions",
}
"""What is asked of the committed rows, by verb; those that train, or look at the machine, never answer the same."""

PICTURES = {
    "refine": ("The boundary that a refinement has found", "pictures/refine.png"),
    "report": ("The page of a sweep", "pictures/report.png"),
    "claims": ("Claims with their estimates, intervals and verdicts", "pictures/claims.png"),
    "explain": ("A scene and its mirror image: how the score terms add up", "pictures/explain-terms.png"),
    **{f"plot {p.name}": (p.title, str(p.path.relative_to(PAGE.parent))) for p in gallery.PICTURES},
}
"""The picture of a verb, by its name: title and file."""


def as_markdown(answer: Callable[[str], str]) -> str:
    """Return the page; `answer` gives what a command prints."""
    parts = [
        "# Every verb",
        "What `lrsym VERB -h` says of each, its example, and what it answers on the committed rows. Options: `-h`. By\n"
        "use, with exit codes: [command-line.md](command-line.md). `python -m docs.site verbs` writes this page.",
    ]
    top = get_command(app)
    for use, verbs in VERBS.items():
        parts.append(f"## {use}")
        for verb in verbs:
            names = (
                [n for n in EXAMPLES if n.startswith("plot ")]
                if verb is VERBS["Reading"][0]
                else [verb.__name__.rstrip("_")]
            )
            for name in names:
                parts += _of_verb(top, name, answer)
    return "\n\n".join(parts) + "\n"


def _of_verb(top: Any, name: str, answer: Callable[[str], str]) -> list[str]:
    command = top
    for word in name.split():
        command = command.commands[word]
    parts = [f"### `{name}`", " ".join(command.help.split()), f"```sh\n{EXAMPLES[name]}\n```"]
    if name in ANSWERED:
        parts += ["On the committed rows:", as_blocks(ANSWERED[name], answer(ANSWERED[name]))]
    if name in PICTURES:
        title, path = PICTURES[name]
        assert Path(PAGE.parent, path).exists() or path.startswith("pictures/gallery"), path
        parts.append(f"![{title}]({path})")
    return parts
