"""The verb `lrsym explain`: one trial of the store, taken apart on one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.options import RESULTS, Device, Json, Results, Theme, parse_out
from lrsym.cli.output import Output, message, output_path

if TYPE_CHECKING:
    from lrsym.config.trial import Trial
    from lrsym.testbed.model.pack_model import PackModel

TrialId = Annotated[str, typer.Argument(help="A trial_id of the store, or its first digits.", show_default=False)]
Page = Annotated[
    Path | None,
    typer.Option(
        parser=parse_out,
        metavar="PATH",
        help="HTML file to write, or its folder; by default RESULTS/explain/TRIAL_ID.html.",
    ),
]


def explain(
    trial_id: TrialId,
    results: Results = RESULTS,
    theme: Theme = "light",
    out: Page = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Write one trial on one page: accuracies, score terms, attention, ablations. Lacking weights, it trains again."""
    from lrsym.api.execution import make_settings
    from lrsym.results.store.lookup import find_trial

    settings = make_settings(engine="local", device=device, workers=1, pack=1)
    trial, row = find_trial(results, trial_id)

    from lrsym.explain import compute
    from lrsym.explain.page import save_page
    from lrsym.sweep.execution.weights import has_weights, weights_path

    compute.check_kind(trial)
    weights = weights_path(results, trial.trial_id)
    retrained = not has_weights(results, trial.trial_id)
    explanation = compute.explain(_model(results, trial, device=settings.device), row)
    path = output_path(out, trial.trial_id, folder="explain", results=results, suffix=".html")
    page, picture = save_page(explanation, path, theme=theme)
    data = {
        "trial_id": trial.trial_id, "page": str(page), "picture": str(picture), "weights": weights,
        "retrained": retrained, "difference": explanation.difference,
    }  # fmt: skip
    Output(as_json=json).result(data, [str(page), str(picture)])


def _model(results: str, trial: "Trial", *, device: str) -> "PackModel":
    """Return the trained model; while it is trained again, standard error says how far that is."""
    import torch

    from lrsym.sweep.execution.events import PackEvent
    from lrsym.sweep.execution.progress import Display
    from lrsym.sweep.execution.retrain import trained_model
    from lrsym.sweep.execution.weights import has_weights
    from lrsym.sweep.planning.packing import make_packs

    torch.set_num_threads(1)  # as in a worker
    if has_weights(results, trial.trial_id):
        return trained_model(results, trial, device=device, report=lambda completed: None)
    message(f"no weights of {trial.trial_id} in {results}: training it again, {trial.n_steps:,} steps")
    packs = make_packs([trial], size=1)
    with Display(packs) as display:

        def report(completed: float) -> None:
            display.update(packs[0], PackEvent(packs[0].id, completed))

        return trained_model(results, trial, device=device, report=report)
