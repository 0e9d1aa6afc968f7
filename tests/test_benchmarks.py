"""The baselines of the benchmarks train and evaluate what lrsym does, and parts replace only their own rows."""

import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import cover, figures, floor, null_sweep, textbook_trial
from benchmarks.figures import Figure
from lrsym.sweep.execution.task import TrainTask
from lrsym.testbed.data.pack_data import PackData
from lrsym.testbed.evaluation import Candidates, evaluate
from lrsym.testbed.training.training import fit
from tests.fitted import CPU
from tests.small_trials import pack_of, small


@pytest.mark.slow
def test_the_textbook_trial_has_the_losses_and_accuracies_of_lrsym():
    trial = small(optim__steps=20, eval__schedule="linear")
    data = PackData.of([trial], device=CPU)
    candidates = Candidates.of(data)
    points = textbook_trial.train(trial, device=CPU)
    for snapshot, (step, loss, found) in zip(fit([trial], data, device=CPU), points, strict=True):
        (measured,) = evaluate(snapshot.model, data, candidates).members()
        wanted = {f"{split}_{metric}": value for (split, metric), value in measured.items() if value is not None}
        assert (step, loss) == (snapshot.step, pytest.approx(snapshot.loss.item(), abs=1e-5))
        assert found == pytest.approx(wanted, abs=0.005)


def test_a_part_taken_anew_replaces_its_own_rows_alone(tmp_path):
    path = tmp_path / "results.parquet"
    for part, value in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        taken = [Figure.of([value], benchmark="x", variant=f"of {part}", unit="s")]
        figures.write(taken, path, part=part, command=["python", part])
    page = figures.markdown(path, parts={"a": "About a.", "b": "About b."})
    assert "| x | of a | 3 |" in page
    assert "| x | of b | 2 |" in page
    assert "| x | of a | 1 |" not in page
    assert page.index("About a.") < page.index("`python a`") < page.index("About b.") < page.index("`python b`")


@pytest.mark.slow
def test_operations_are_counted_in_batched_products_too():
    members, rows, inner, columns = 2, 3, 5, 7
    with FlopCounterMode(display=False) as counter:
        torch.bmm(torch.ones(members, rows, inner), torch.ones(members, inner, columns))
    assert counter.get_total_flops() == 2 * members * rows * inner * columns


@pytest.mark.slow
def test_the_count_of_a_step_holds_its_logits_and_a_gradient_of_two_products_for_each():
    (small, _), (middle, _), (large, _) = (floor.operations(size) for size in (16, 32, 64))
    # Constant and proportional parts cancel: what is left grows with the square of the batch, as the logits do.
    members, width = 8, 128
    squares = (64**2 - 32**2) - 2 * (32**2 - 16**2)
    assert (large - middle) - 2 * (middle - small) == 3 * 2 * members * width * squares


@pytest.mark.slow
def test_the_task_that_does_nothing_reports_and_writes_as_the_real_one(tmp_path):
    pack, tables, reports = pack_of(small(seed=0), small(seed=1)), {}, {}
    for kind in (TrainTask, null_sweep.NullTask):
        root = tmp_path / kind.__name__
        assert kind(root, "r", "cpu", 1)(pack, reports.setdefault(kind, []).append) == {"done": 2}
        tables[kind] = pq.read_table(root / "trials" / f"{pack.id}.parquet")
    real, null = tables.values()
    assert reports[TrainTask] == reports[null_sweep.NullTask]
    assert null.schema == real.schema
    assert null["trial_id"] == real["trial_id"]
    assert null["status"] == real["status"]


def test_the_simulated_cover_is_that_of_the_binomial_and_the_same_each_time():
    cells = {"wilson": 400, "logit": 20}
    found = cover.simulate(cells=cells, sizes=(5,), n_points=3)
    assert found.equals(cover.simulate(cells=cells, sizes=(5,), n_points=3))
    low, middle, high = found.filter(interval="wilson")["cover"]
    # Of 5 truth values Wilson's interval holds 0.02 and 0.98 where all are alike, 0.5 where they are not.
    assert (low, high) == (pytest.approx(0.98**5, abs=0.05),) * 2
    assert middle == pytest.approx(1 - 2 / 2**5, abs=0.05)
    spec = cover.draw(found).to_dict()
    assert [panel["title"]["text"] for panel in spec["vconcat"][0]["concat"]] == ["5 seeds"]
