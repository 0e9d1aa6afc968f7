"""Packs: a member has the rows it has alone, whatever the others differ in, or the pack is refused."""

import copy
import functools

import pydantic
import pytest

from lrsym.config.axes import axes
from lrsym.config.scene import SceneConfig
from lrsym.config.section import axis_field
from lrsym.config.trial import Trial
from lrsym.sweep.execution.train_pack import run_pack
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import evaluate
from lrsym.testbed.training.training import fit
from tests.fitted import CPU, Fitted
from tests.small_trials import OTHER, SMALL, small

# Axes of two trials that differ in one; what is not listed changes as in OTHER, else by one, or by half.
PAIRS = {
    "scenes.n_pair_labels": ({}, {"scenes.n_pair_labels": 4}),
    "scenes.n_heldout_labels": ({}, {"scenes.n_heldout_labels": 2}),
    "scenes.layouts_per_pair": ({}, {"scenes.layouts_per_pair": 3}),
    "scenes.coverage": ({}, {"scenes.coverage": 0.5}),
    "model.d_model": ({}, {"model.d_model": 24, "model.embedding_scale": 12**0.5}),
    "model.positions": ({"model.init_position_std": 0.0}, {"model.init_position_std": 0.0, **OTHER["model.positions"]}),
    "model.dropout": ({"model.dropout": 0.1}, {"model.dropout": 0.2}),
    "model.attention_dropout": ({"model.attention_dropout": 0.1}, {"model.attention_dropout": 0.2}),
    "model.embedding_scale": ({}, {"model.embedding_scale": 1.5}),
    "optim.epochs": ({"optim.steps": 7}, {"optim.steps": None, "optim.epochs": 2}),
    "eval.threshold": ({}, {"eval.threshold": 0.2}),
}
OF_A_RUN = {"seconds", "pack_size", "run_id", "finished_at"}


def pair(key, trial_type=Trial):
    """Two small trials that differ in the axis `key`."""
    value = small().values()[key]
    changed = OTHER.get(key) or {key: value + 1 if isinstance(value, int) else value and value * 0.5}
    first, second = (trial_type.from_axes({**SMALL, **a}) for a in PAIRS.get(key, ({}, changed)))
    assert first.values()[key] != second.values()[key]
    return first, second


def rows(trials):
    """Every row of every table by trial, but for what belongs to the run."""
    by_trial = {trial.trial_id: [] for trial in trials}
    for table in run_pack(trials, run_id="r", device=CPU).tables.values():
        for row in table.to_pylist():
            by_trial[row["trial_id"]].append({name: v for name, v in row.items() if name not in OF_A_RUN})
    return by_trial


@functools.cache
def rows_alone(trial):
    """Every row of a trial that is trained alone."""
    (alone,) = rows([trial]).values()
    return alone


def close(value, wanted):
    return value == (pytest.approx(wanted, abs=1e-4, rel=1e-3) if isinstance(wanted, float | list) else wanted)


def train(trials):
    return list(fit(trials, PackData.of(trials, device=CPU), device=CPU))


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("axis", axes(), ids=lambda axis: axis.key)
def test_trials_that_differ_in_one_axis_have_the_rows_they_have_alone_or_are_refused_as_a_pack(axis):
    trials = pair(axis.key)
    if trials[0].static_shape != trials[1].static_shape:
        with pytest.raises(ValueError, match="trials of a pack must share their"):
            train(trials)
        return
    together = rows(trials)
    for trial in trials:
        alone = rows_alone(trial)
        assert len(together[trial.trial_id]) == len(alone)
        for mine, wanted in zip(together[trial.trial_id], alone, strict=True):
            assert [name for name in wanted if not close(mine[name], wanted[name])] == []


def declared_per_member(key):
    """A type of trial whose axis `key` is declared to differ between members, which its users do not know."""
    section_name, name = key.split(".")
    section = Trial.model_fields[section_name].annotation
    field = copy.deepcopy(section.model_fields[name])
    field.json_schema_extra["per_member"] = True
    wrong = pydantic.create_model("Wrong", __base__=section, **{name: (field.annotation, field)})
    return pydantic.create_model("WrongTrial", __base__=Trial, **{section_name: (wrong, wrong())})


@pytest.mark.parametrize("key", [axis.key for axis in axes() if not axis.per_member])
def test_a_pack_of_trials_that_differ_in_a_wrongly_declared_axis_is_refused_with_its_name(key):
    trials = pair(key, declared_per_member(key))
    assert trials[0].static_shape == trials[1].static_shape
    with pytest.raises(ValueError, match=f"must share their .* differ .*{key}"):
        train(trials)


class GapScenes(SceneConfig):
    """Scenes with a new axis that changes the layouts and is wrongly declared."""

    gap: int = axis_field(0, "pixels", "", "Fewest pixels between two objects.", per_member=True, ge=0)

    @property
    def layouts(self):
        """Return the layouts whose objects stand apart."""
        return tuple((a, b) for a, b in super().layouts if b - a > self.gap)


class GapTrial(Trial):
    scenes: GapScenes = GapScenes()


def test_a_new_axis_that_changes_the_layouts_and_says_that_members_may_differ_is_refused():
    trials = [GapTrial.from_axes({**SMALL, "scenes.gap": gap}) for gap in (0, 1)]
    assert trials[0].static_shape == trials[1].static_shape
    with pytest.raises(ValueError, match=r"share their layouts, .* differ \(scenes.gap 0 and 1\); group trials by"):
        train(trials)


def test_a_new_axis_that_says_nothing_is_shared_by_the_members_of_a_pack():
    class TiltScenes(SceneConfig):
        tilt: int = axis_field(0, "", "", "An axis without a declaration.")

    class TiltTrial(Trial):
        scenes: TiltScenes = TiltScenes()

    level, tilted = (TiltTrial.from_axes({"scenes.tilt": tilt}) for tilt in (0, 1))
    assert level.program != tilted.program
    assert level.static_shape != tilted.static_shape


def test_trials_of_one_program_differ_in_steps_and_evaluations_alone():
    trial = small()
    for changes in ({"optim__steps": 7}, {"eval__points": 3}, {"eval__schedule": "linear"}):
        other = small(**changes)
        assert other.program == trial.program
        assert other.static_shape != trial.static_shape


def test_a_model_is_not_evaluated_on_the_data_of_another_number_of_trials():
    fitted = Fitted([small(seed=0), small(seed=1)])
    with pytest.raises(ValueError, match="data of the model's 1 trials, got those of 2"):
        evaluate(fitted.model[0], fitted.data, fitted.candidates)


def test_a_caption_stands_in_the_column_of_the_member_that_was_selected():
    trials = [small(seed=seed, scenes__n_pair_labels=n) for seed, n in ((0, 4), (1, 3))]
    data, alone = PackData.of(trials, device=CPU).select([1]), PackData.of(trials[1:], device=CPU)
    captions = alone.trained[0]
    assert data.trained[0][data.column[0, captions]].tolist() == captions.tolist()
    assert data.trials == (trials[1],)
