"""The verb `lrsym explain`: one trial of the store, taken apart on one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.options import RESULTS, Json, Results, show

if TYPE_CHECKING:
    from lrsym.config.trial import Trial
    from lrsym.testbed.model.pack_model import PackModel

TrialId = Annotated[str, typer.Argument(help="A trial_id of the store, or its first digits.", show_default=False)]
Page = Annotated[Path | None, typer.Option(help="The page, .html. [default: RESULTS/explain/TRIAL_ID.html]")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def explain(
    trial_id: TrialId, results: Results = RESULTS, out: Page = None, device: Device = "auto", json: Json = False
) -> None:
    """One trial on one page: accuracies, score terms, attention, ablations. Trains it again if weights are missing."""
    from lrsym.results.store.lookup import find_trial
    from lrsym.sweep.driver import Settings

    settings = Settings.resolve(engine="local", device=device, workers=1, pack_size=1, timeout=None)
    trial, row = find_trial(results, trial_id)

    from lrsym.explain.compute import check_kind
    from lrsym.explain.compute import explain as take_apart
    from lrsym.explain.page import save_page
    from lrsym.sweep.execution.weights import weights_path

    check_kind(trial)
    weights = weights_path(results, trial.trial_id)
    retrained = not weights.exists()
    explanation = take_apart(_model(results, trial, device=settings.device), row)
    page, picture = save_page(explanation, _page_path(results, trial, out))
    report = {
        "trial_id": trial.trial_id, "page": str(page), "picture": str(picture), "weights": str(weights),
        "retrained": retrained, "difference": explanation.difference,
    }  # fmt: skip
    show(report, [str(page), str(picture)], as_json=json)


def _page_path(results: Path, trial: "Trial", out: Path | None) -> Path:
    if out is None or out.is_dir():
        return (out or results / "explain") / f"{trial.trial_id}.html"
    return out if out.suffix == ".html" else out.with_name(f"{out.name}.html")


def _model(results: Path, trial: "Trial", *, device: str) -> "PackModel":
    """The trained model; while it is trained again, standard error says how far that is."""
    import torch

    from lrsym.explain.retrain import trained_model
    from lrsym.sweep.execution.progress import Display, Progress
    from lrsym.sweep.execution.weights import weights_path
    from lrsym.sweep.planning.plan import pack_id

    torch.set_num_threads(1)  # as in a worker
    if weights_path(results, trial.trial_id).exists():
        return trained_model(results, trial, device=device, report=lambda fraction: None)
    typer.echo(f"no weights of {trial.trial_id} in {results}: training it again, {trial.n_steps:,} steps", err=True)
    name = pack_id((trial,))
    with Display(((trial,),)) as display:
        return trained_model(
            results, trial, device=device, report=lambda fraction: display.listen(Progress(name, fraction))
        )
