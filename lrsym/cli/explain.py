"""The verb `lrsym explain`: one trial of the store, taken apart on one page."""

from pathlib import Path
from typing import Annotated

import typer

from lrsym.cli.options import RESULTS, Device, Json, Results, Set, Theme, Where, parse_out
from lrsym.cli.output import Output, message, output_path

Asked = Annotated[
    str,
    typer.Argument(
        help="A trial_id of the store, or its first digits; or a sweep file (TOML), for its best trial.",
        metavar="TRIAL_ID|FILE",
        show_default=False,
    ),
]
Best = Annotated[
    str | None,
    typer.Option(help="Of a sweep: take the trial with the highest value of this column, such as unseen_order."),
]
Minimise = Annotated[bool, typer.Option("--minimise", help="Of a sweep: take the one with the lowest value.")]
Page = Annotated[
    Path | None,
    typer.Option(
        parser=parse_out,
        metavar="PATH",
        help="HTML file to write, or its folder; by default RESULTS/explain/TRIAL_ID.html, of an object "
        "store plots/TRIAL_ID.html.",
    ),
]


def explain(
    trial: Asked,
    set_: Set = None,
    results: Results = RESULTS,
    where: Where = None,
    best: Best = None,
    minimise: Minimise = False,
    theme: Theme = "light",
    out: Page = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Write one trial on one page: accuracies, score terms, attention, ablations. Lacking weights, it trains again."""
    from lrsym.api.execution import make_settings
    from lrsym.api.explanation import choose_trial, take_apart

    settings = make_settings(engine="local", device=device, workers=1, pack=1)
    chosen = choose_trial(trial, results, where=where, best=best, minimise=minimise, changes=set_ or ())

    from lrsym.explain.page import save_page
    from lrsym.results.plots.save import prove_file
    from lrsym.sweep.execution.events import PackEvent
    from lrsym.sweep.execution.progress import Display
    from lrsym.sweep.execution.weights import has_weights, weights_path
    from lrsym.sweep.planning.packing import make_packs

    trial_id = chosen.trial.trial_id
    retrained = not has_weights(results, trial_id)
    if retrained:
        message(f"no weights of {trial_id} in {results}: training it again, {chosen.trial.n_steps:,} steps")
    path = output_path(out, trial_id, folder="explain", results=results, suffix=".html")
    prove_file(path)
    packs = make_packs([chosen.trial], size=1)
    with Display(packs, shown=retrained) as display:

        def report(completed: float) -> None:
            display.update(packs[0], PackEvent(packs[0].id, completed))

        def warn(text: str) -> None:
            message(f"warning: {text}")

        explanation = take_apart(chosen, results, device=settings.device, report=report, on_message=warn)
    page, picture = save_page(explanation, path, heading=chosen.heading, sentence=chosen.sentence, theme=theme)
    weights = weights_path(results, trial_id) if has_weights(results, trial_id) else None
    data = {
        "trial_id": trial_id, "page": str(page), "picture": str(picture), "weights": weights, "retrained": retrained,
        "difference": explanation.difference,
    }  # fmt: skip
    Output(as_json=json).result(data, [str(page), str(picture)])
