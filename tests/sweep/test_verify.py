"""Which trials are trained again, in which packs, and that the store is left as it was."""

import polars as pl
import pyarrow as pa
import pytest

from lrsym.errors import UsageError
from lrsym.results.store.store import Store, load_trials
from lrsym.sweep import verify as verify_module
from lrsym.sweep.execution.grid_stop_rules import GRID_RULES
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.planning.packing import PackList
from lrsym.sweep.planning.settings import Settings
from lrsym.sweep.spec.sweep_file import load
from lrsym.sweep.verify import Sample, draw_sample, verify
from tests.fitted import train
from tests.small_trials import pack_of, small, write_sweep


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A sweep of 8 trials in packs of 3, 3 and 1, with one that failed, and its store."""
    folder = tmp_path_factory.mktemp("verify")
    sweep, store = load(write_sweep(folder, steps=12)), Store(str(folder / "r"))
    for members in (sweep.trials[:3], sweep.trials[3:6], sweep.trials[6:7]):
        assert train(store.root, members) == {"done": len(members)}
    store.write("f", status_rows(sweep.trials[7:], status="crashed", message="why", run_id="r"))
    return sweep, store


def ids(packs):
    return [{*pack.trial_ids} for pack in packs]


@pytest.mark.slow
def test_trials_are_drawn_in_the_packs_that_they_were_trained_in(trained):
    sweep, store = trained
    packs = [{*sweep.trial_ids()[a:b]} for a, b in ((0, 3), (3, 6), (6, 7))]
    sample = draw_sample(sweep, store, n=7)
    assert (sample.finished, sorted(map(len, ids(sample.packs)))) == (7, [1, 3, 3])
    assert all(pack in packs for pack in ids(sample.packs))
    few = draw_sample(sweep, store, n=2)
    assert all(pack in packs for pack in ids(few.packs))
    assert 2 <= few.packs.n_trials <= 3 or len(few.packs) == 2


@pytest.mark.slow
def test_the_same_seed_draws_the_same_and_others_draw_others(trained):
    drawn = [ids(draw_sample(*trained, n=1, seed=seed, pack_size=1).packs) for seed in (0, 0, *range(1, 9))]
    assert drawn[0] == drawn[1]
    assert len({frozenset(one[0]) for one in drawn}) > 2


@pytest.mark.slow
def test_of_packs_of_a_given_size_exactly_so_many_trials_are_drawn_and_a_condition_is_heeded(trained):
    sample = draw_sample(*trained, n=5, pack_size=2)
    assert (sample.packs.n_trials, max(map(len, sample.packs))) == (5, 2)
    sample = draw_sample(*trained, n=99, pack_size=8, where="layouts_per_pair = 4")
    assert {trial.scenes.layouts_per_pair for pack in sample.packs for trial in pack.trials} == {4}
    assert sample.finished == sample.packs.n_trials == 3


@pytest.mark.slow
def test_a_pack_in_which_a_rule_ended_trials_gets_that_rule(trained, tmp_path):
    sweep, _ = trained
    store = Store(str(tmp_path))
    rows = status_rows(sweep.trials[:2], status="stopped", message="early", run_id="r")["trials"]
    place = rows.schema.get_field_index("stop_rule")
    store.write("p", {"trials": rows.set_column(place, rows.field(place), pa.array(["decided", None]))})
    sample = draw_sample(sweep, store, n=2)
    assert [pack.stop for pack in sample.packs] == [GRID_RULES["decided"]]


@pytest.mark.parametrize(
    ("where", "said"), [(None, "has no finished trials in"), ("seed = 77", "where seed = 77; there seed is 0, 1")]
)
def test_without_finished_trials_there_is_nothing_to_train_again(trained, tmp_path, where, said):
    sweep, store = trained
    if where is None:
        store = Store(str(tmp_path))
        store.write("f", status_rows(sweep.trials, status="crashed", message="why", run_id="r"))
    with pytest.raises(UsageError, match=said):
        draw_sample(sweep, store, n=3, where=where)


@pytest.mark.slow
def test_what_is_trained_again_in_the_same_packs_is_identical_and_the_store_stays_as_it_was(trained):
    sweep, store = trained
    before = {name: store.files.stamps(name) for name in ("trials", "curves", "runs", "leases")}
    settings = Settings.resolve(engine="local", device="cpu", workers=1, pilot=False)
    found = verify(draw_sample(sweep, store, n=7), store, settings, tolerance=0.0)
    assert found.counts == {"identical": 7}
    assert found.reproduced
    assert {name: store.files.stamps(name) for name in before} == before
    assert load_trials(store.root).collect()["run_id"].unique().to_list() == ["r"]


@pytest.mark.slow
def test_alone_a_trial_ends_within_the_tolerance_of_what_it_was_in_a_pack(trained):
    settings = Settings.resolve(engine="local", device="cpu", workers=1, pack_size=1, pilot=False)
    found = verify(draw_sample(*trained, n=7, pack_size=1), trained[1], settings, tolerance=0.05)
    assert found.counts.keys() <= {"identical", "within tolerance"}


def test_what_was_trained_again_is_compared_again_where_parts_are_merged_meanwhile(tmp_path, monkeypatch):
    calls, rows, outcome = [], pl.DataFrame({"agreement": ["identical"]}), object()

    def compare(first, second, *, tolerance):
        calls.append(first)
        if len(calls) == 1:
            raise FileNotFoundError(2, "No such file or directory", first)
        return rows

    monkeypatch.setattr(verify_module, "compare", compare)
    monkeypatch.setattr(verify_module, "run", lambda *_, **__: outcome)
    settings = Settings.resolve(engine="local", device="cpu", workers=1, pilot=False)
    sample = Sample("small", 1, PackList((), (), size=1, started=[pack_of(small())]))
    found = verify(sample, Store(str(tmp_path)), settings, tolerance=0.0)
    assert (found.counts, found.outcome, len(calls)) == ({"identical": 1}, outcome, 2)
