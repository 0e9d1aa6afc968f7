"""The sweeps that are shipped."""

from collections.abc import Collection
from pathlib import Path

import pytest

from lrsym.config.trial import Trial
from lrsym.results.store.store import Store
from lrsym.sweep.planning.packing import make_packs
from lrsym.sweep.planning.plan import make_plan
from lrsym.sweep.search.objective import check_objectives
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep
from lrsym.sweep.spec.sweep_file import load, load_any
from tests.fitted import train

FOLDER = Path(__file__).parents[3] / "sweeps"
FILES = sorted(FOLDER.glob("*.toml"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest) -> tuple[Path, Sweep | Search]:
    return request.param, load_any(request.param)


def sweep_of(found: Sweep | Search) -> Sweep:
    """The sweep itself, or of a search the cells at the ends of its space."""
    return found.sweep(found.space.valid_corners) if isinstance(found, Search) else found


def cells(sweep: Sweep) -> set[tuple[object, ...]]:
    return {tuple(trial.values()[key] for key in sweep.varied) for trial in sweep.trials}


def test_the_sweeps_that_the_readme_draws_are_shipped():
    wanted = {"demo", "labels_by_layouts", "model_size", "embedding_scale", "recipe", "epsilon"}
    assert {p.stem for p in FILES} >= wanted


def test_a_shipped_sweep_parses_without_warnings(shipped: tuple[Path, Sweep | Search]):
    assert shipped[1].warnings == ()


def test_a_shipped_sweep_is_named_after_its_file(shipped: tuple[Path, Sweep | Search]):
    path, sweep = shipped
    assert sweep.name == path.stem


def test_a_shipped_command_names_its_own_file(shipped: tuple[Path, Sweep | Search]):
    path, sweep = shipped
    where = "--device cuda" if path.stem in ("atlas", "dropout", "pytorch_start_dropout") else "--workers 2"
    assert sweep.head.command == f"lrsym sweep sweeps/{path.name} {where}"


def test_a_shipped_sweep_tells_question_cost_and_trials(shipped: tuple[Path, Sweep | Search]):
    _, sweep = shipped
    assert sweep.head.question.endswith(("?", "."))
    assert sweep.head.cost.startswith("about ")
    steps = sorted({trial.n_steps for trial in sweep_of(sweep).trials})
    named = " to ".join(f"{n:,}" for n in dict.fromkeys((steps[0], steps[-1])))
    if isinstance(sweep, Search):
        trials = f"{sweep.budget} cells x {sweep.replicates} replicates = {sweep.budget * sweep.replicates}"
    else:
        trials = f"{len(sweep):,}"
    assert f"({trials} trials of {named} steps" in sweep.head.cost


def test_a_shipped_sweep_has_replicates(shipped: tuple[Path, Sweep | Search]):
    assert shipped[1].replicates >= 2


def test_the_demo_is_one_pack_shape_of_at_least_12_cells():
    sweep = load(FOLDER / "demo.toml")
    assert len(cells(sweep)) >= 12
    assert len({trial.static_shape for trial in sweep.trials}) == 1


def test_the_papers_figure_has_330_trials():
    assert len(load(FOLDER / "labels_by_layouts.toml").trials) == 330


def test_the_recipe_is_the_default_trial_with_twenty_seeds():
    assert tuple(load(FOLDER / "recipe.toml").trials) == tuple(Trial(seed=seed) for seed in range(20))


def test_the_embedding_scale_sweep_keeps_the_initial_size_but_in_its_last_cell():
    trials = load(FOLDER / "embedding_scale.toml").trials
    *fixed, last = [t.model.embedding_scale * t.model.init_token_std for t in trials if t.seed == 0]
    assert fixed == pytest.approx([0.02 * 128**0.5] * 5)
    assert last == pytest.approx(128**-0.5)


def test_the_embedding_scale_sweep_contains_the_recipe():
    recipe = {trial.trial_id for trial in load(FOLDER / "recipe.toml").trials[:5]}
    assert recipe <= {trial.trial_id for trial in load(FOLDER / "embedding_scale.toml").trials}


def test_a_shipped_search_seeks_a_number():
    searches = [found for found in map(load_any, FILES) if isinstance(found, Search)]
    assert searches
    for search in searches:
        check_objectives(search)


def test_a_shipped_sweep_is_planned_whole(shipped: tuple[Path, Sweep | Search]):
    sweep = sweep_of(shipped[1])
    plan = make_plan(sweep, {}, workers=2, device="cpu")
    assert sum(len(pack) for pack in plan.packs) == len(sweep.trials)


TINY = {
    "scenes.n_positions": 4, "scenes.n_rows": 2, "scenes.n_pair_labels": 4, "scenes.n_heldout_labels": 3,
    "scenes.positions_per_label": 2, "scenes.layouts_per_pair": 3, "model.d_model": 16, "model.d_mlp": 8,
    "optim.batch_size": 8, "eval.points": 1,
}  # fmt: skip


def shrunk(trial: Trial, *, varied: Collection[str]) -> Trial:
    """The trial with two steps, and no larger than TINY in any axis that its sweep leaves alone."""
    of_layouts = {"scenes.layouts_per_pair", "scenes.heldout_partners"}
    bound = {"scenes.n_positions"} if of_layouts & {*varied} else set()  # as many as the layouts ask for
    values = trial.values() | {"optim.steps": 2, "optim.epochs": None}
    values |= {key: min(values[key], TINY[key]) for key in TINY.keys() - varied - bound}
    del values["scenes.n_labels"]  # that follows from the others
    return Trial.from_axes(values)


@pytest.mark.slow
def test_the_corner_cells_of_a_shipped_sweep_train_when_shrunk(shipped: tuple[Path, Sweep | Search], tmp_path: Path):
    sweep = sweep_of(shipped[1])
    corners = [shrunk(trial, varied=sweep.varied) for trial in (sweep.trials[0], sweep.trials[-1])]
    for pack in make_packs([*dict.fromkeys(corners)], size=2):
        train(tmp_path, pack.trials)
    assert Store(tmp_path).statuses() == {trial.trial_id: "done" for trial in corners}
