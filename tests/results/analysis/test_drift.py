"""How trials that were trained twice compare: to the last digit, within a tolerance, or not."""

from datetime import UTC, datetime

import pytest

from lrsym.results.analysis.drift import compare, environments
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.trial_row import axis_values
from lrsym.vocabulary import AGREEMENTS
from tests.small_trials import small

STEPS = (2, 4, 6)


def write(
    root, curves, *, run="r", pack_size=2, device="cpu", torch="2.13.0", ends=None, with_curves=True, steps=STEPS
):
    """A store of trials by seed, each with the accuracies of its curve; `ends` says of some how they ended."""
    store, rows, points = Store(root), [], []
    for seed, values in curves.items():
        trial = small(seed=seed)
        at = steps[: len(values)]
        row = {
            **axis_values(trial), "status": "done", "trained_steps": at[-1] if at else 0, "pack_size": pack_size,
            "run_id": run, "finished_at": datetime(2026, 1, 1, tzinfo=UTC), **(ends or {}).get(seed, {}),
        }  # fmt: skip
        if values and row["status"] != "diverged":
            row["unseen_order"] = values[-1]
        rows.append(row)
        for step, value in zip(at, values, strict=True):
            point = {"trial_id": trial.trial_id, "step": step}
            points.append({**point, "split": "unseen", "metric": "order", "value": value})
            points.append({**point, "split": "train", "metric": "loss", "value": 10 * (1 - value)})
    tables = {"trials": TABLES["trials"].build(rows)}
    if with_curves:
        tables["curves"] = TABLES["curves"].build(points)
    store.write("part", tables)
    about = {"run_id": run, "device": device, "hardware": "a chip", "torch": torch, "lrsym_version": "0.1.0"}
    store.write("run", {"runs": TABLES["runs"].build([about])})
    return root


def compared(tmp_path, before, after, *, tolerance=0.05, of_before=None, **of_after):
    first = write(tmp_path / "before", before, **(of_before or {}))
    frame = compare(first, write(tmp_path / "after", after, run="s", **of_after), tolerance=tolerance)
    by_id = {row["trial_id"]: row for row in frame.to_dicts()}
    return {seed: by_id[small(seed=seed).trial_id] for seed in after}


def test_a_trial_is_identical_only_where_every_value_is(tmp_path):
    same = [0.5, 0.7, 0.9]
    rows = compared(tmp_path, {0: same, 1: same, 2: same}, {0: same, 1: [0.5, 0.7 + 1e-15, 0.9], 2: [0.5, 0.2, 0.9]})
    assert [row["agreement"] for row in rows.values()] == ["identical", "within tolerance", "within tolerance"]
    assert [row["last"] for row in rows.values()] == [0, 0, 0]


@pytest.mark.parametrize(("now", "agreement"), [(0.94, "within tolerance"), (0.96, "drifted"), (0.8, "drifted")])
def test_what_counts_are_the_last_accuracies(tmp_path, now, agreement):
    rows = compared(tmp_path, {0: [0.5, 0.7, 0.9]}, {0: [0.5, 0.7, now]})
    row = rows[0]
    assert row["agreement"] == agreement
    assert (row["first"], row["last"]) == (0, pytest.approx(abs(now - 0.9)))
    assert (row["metric"], row["step"], row["value_before"], row["value_after"]) == ("unseen_order", 6, 0.9, now)


def test_a_loss_makes_no_drift_but_is_not_identical_either(tmp_path):
    first = write(tmp_path / "before", {0: [0.5, 0.7, 0.9]})
    second = write(tmp_path / "after", {0: [0.5, 0.7, 0.9]})
    curves = Store(second).scan("curves").collect().to_dicts()
    changed = [row | {"value": row["value"] + 1} if row["metric"] == "loss" else row for row in curves]
    Store(second).write("part", {"curves": TABLES["curves"].build(changed)})
    assert compare(first, second, tolerance=0.0)["agreement"].to_list() == ["within tolerance"]


def test_another_end_is_a_drift_and_a_failure_this_time_is_told_as_one(tmp_path):
    curve = [0.5, 0.7]
    diverged = {"status": "diverged", "trained_steps": 5}
    rows = compared(
        tmp_path,
        dict.fromkeys(range(4), curve),
        {0: curve, 1: curve, 2: curve, 3: []},
        of_before={"ends": {1: diverged, 2: diverged}},
        ends={0: diverged, 1: diverged, 2: {"status": "diverged", "trained_steps": 6}, 3: {"status": "out_of_memory"}},
    )
    assert [row["agreement"] for row in rows.values()] == ["drifted", "identical", "within tolerance", "failed"]


def test_a_trial_that_a_rule_ended_is_compared_as_far_as_it_went(tmp_path):
    rows = compared(tmp_path, {0: [0.5, 0.7, 0.9]}, {0: [0.5, 0.7]}, ends={0: {"status": "stopped"}})
    assert (rows[0]["agreement"], rows[0]["step"]) == ("identical", 4)


def test_without_curves_the_last_accuracies_are_compared(tmp_path):
    curves = {0: [0.5, 0.7, 0.9], 1: [0.5, 0.7, 0.9]}
    rows = compared(tmp_path, curves, {**curves, 1: [0.5, 0.7, 0.6]}, of_before={"with_curves": False})
    assert [row["agreement"] for row in rows.values()] == ["identical", "drifted"]
    assert rows[1]["last"] == pytest.approx(0.3)


def test_where_rounding_may_differ_a_trial_that_began_alike_has_grown_apart_and_any_other_drifted(tmp_path):
    curves = {seed: [0.5, 0.7, 0.9] for seed in range(3)}
    again = {0: [0.5 + 1e-6, 0.7, 0.5], 1: [0.5 + 1e-3, 0.7, 0.5], 2: [0.5, 0.7, 0.9]}
    rows = compared(tmp_path, curves, again, pack_size=1, steps=(2, 70, 80), of_before={"steps": (2, 70, 80)})
    assert [row["agreement"] for row in rows.values()] == ["grown apart", "drifted", "identical"]
    assert rows[0]["early_loss"] == pytest.approx(2e-6)
    assert rows[0]["bias"] == pytest.approx(-0.4)


def test_environments_say_what_changed_and_count_every_kind_of_agreement(tmp_path):
    first = write(tmp_path / "before", {0: [0.5, 0.7, 0.9], 1: [0.5, 0.7, 0.9]}, pack_size=8, torch="2.12.0")
    second = write(tmp_path / "after", {0: [0.5, 0.7, 0.9], 1: [0.6, 0.7, 0.2]}, run="s", pack_size=1, device="cuda")
    (row,) = environments(compare(first, second, tolerance=0.05)).to_dicts()
    assert (row["device"], row["pack_size"], row["torch"]) == ("cpu -> cuda", "8 -> 1", "2.12.0 -> 2.13.0")
    assert (row["hardware"], row["lrsym"]) == ("a chip", "0.1.0")
    assert {name: row[name.replace(" ", "_")] for name in AGREEMENTS} == {
        "identical": 1, "within tolerance": 0, "grown apart": 0, "drifted": 1, "failed": 0,
    }  # fmt: skip
    assert (row["n"], row["first"], row["last"]) == (2, pytest.approx(0.1), pytest.approx(0.7))
