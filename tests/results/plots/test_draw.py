"""A sweep and a store become a picture, or one line that says why there is none and what to do."""

from types import SimpleNamespace

import pytest

from lrsym.errors import UsageError
from lrsym.results.plots import sweep_rows
from lrsym.results.plots.draw import check_picture, draw, draw_lines, draw_rows
from lrsym.results.plots.sweep_rows import NothingToDrawError
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.sweep.spec.sweep import command
from lrsym.vocabulary import PICTURES
from tests.charts import marks, panels, subtitle

TRIALS = [
    {"trial_id": f"a{heads}{depth}", "status": "done", "seed": 0, "n_heads": heads, "vision_blocks": depth,
     "n_pair_labels": 5, "layouts_per_pair": 3, "train_order": 1.0, "seen_order": 1.0, "unseen_order": 0.5}
    for heads in (1, 2) for depth in (1, 2)
]  # fmt: skip


def sweep(*ids, varied=("model.vision_blocks", "model.n_heads")):
    return SimpleNamespace(
        name="small",
        varied=varied,
        trial_ids=lambda: list(ids),
        command=lambda verb, results: command(verb, "small.toml", results),
    )


@pytest.fixture
def store(tmp_path):
    Store(tmp_path).write("part", {"trials": TABLES["trials"].build(TRIALS)})
    return tmp_path


ALL = sweep(*(row["trial_id"] for row in TRIALS))


@pytest.mark.slow
def test_the_axes_are_those_that_the_sweep_varies_in_its_order(store):
    encoding = marks(draw("phase", ALL, store).to_dict(), "rect")[0]["encoding"]
    assert (encoding["x"]["title"], encoding["y"]["title"]) == (["vision_blocks", "(blocks)"], "n_heads (heads)")


@pytest.mark.slow
def test_only_the_trials_of_the_sweep_that_meet_the_condition_are_drawn_and_the_heading_says_so(store):
    title = draw("phase", sweep("a11", "a12", "a21"), store, where="n_heads = 1").to_dict()["title"]["subtitle"]
    assert "2 trials, 1 seed in each cell." in title
    assert title[-1] == "Only trials with n_heads = 1."


@pytest.mark.parametrize(
    ("kind", "ids", "where", "why"),
    [
        ("phase", ("b",), None, "no trial of small in .*; train first: lrsym sweep small.toml --results"),
        ("ablation", ("b",), "seed = 0", "no trial of small in .*; train first"),
        ("phase", ("a11",), "seed = 9", "no trial of small in .* where seed = 9; there seed is .* leave --where out"),
        ("ablation", ("a11",), None, "there are no ablations of the 1 trial of small: .*layer_norm none or post"),
        ("profile", ("a11",), None, "there are no terms of the 1 trial of small"),
        ("curves", ("a11",), None, "no curves of small in .*lrsym status small.toml --results"),
        ("onset", ("a11",), None, "there are no ablation_curves of the 1 trial of small: .*eval.mechanism = .points."),
    ],
)
def test_where_there_is_nothing_to_draw_the_message_says_why_and_what_to_do(store, kind, ids, where, why):
    with pytest.raises(NothingToDrawError, match=f"^nothing to draw: {why}"):
        draw(kind, sweep(*ids), store, where=where)


def named(name, *ids, varied=("model.vision_blocks", "model.n_heads")):
    return SimpleNamespace(**{**vars(sweep(*ids, varied=varied)), "name": name})


@pytest.mark.slow
def test_lines_of_several_sweeps_stand_below_each_other_by_their_names(store):
    chart = draw_lines([named("one", "a11", "a12"), named("two", "a21", "a22")], store, metric="unseen_order")
    assert [panel["title"]["text"] for panel in panels(chart)] == ["one: unseen_order", "two: unseen_order"]


def test_lines_of_one_sweep_twice_are_refused(store):
    with pytest.raises(UsageError, match="must differ in their names, got one twice"):
        draw_lines([named("one", "a11"), named("one", "a12")], store)


def test_a_sweep_without_rows_beside_one_with_rows_is_named(store):
    with pytest.raises(NothingToDrawError, match=r"no trial of two in .*; train first"):
        draw_lines([named("one", "a11"), named("two", "b")], store)


def test_ablations_that_leave_nothing_out_are_nothing_to_draw(store):
    row = {"trial_id": "a11", "term": "none", "split": "unseen", "metric": "order", "value": 1.0}
    tables = {"trials": TRIALS, "ablations": [row]}
    Store(store).write("part", {name: TABLES[name].build(rows) for name, rows in tables.items()})
    with pytest.raises(NothingToDrawError, match="there are no ablations"):
        draw("ablation", sweep("a11"), store)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("phase", {"metric": "order"}, "metric must be an accuracy or another column of numbers"),
        ("curves", {"metric": "accuracy"}, "metric must be one of"),
        ("line", {"metric": "unseen_insets"}, "did you mean unseen_inset"),
        ("ablation", {"where": "nope = 3"}, "no condition on the table trials"),
    ],
)
def test_a_picture_that_no_rows_could_make_is_refused_without_rows(kind, options, message):
    with pytest.raises(UsageError, match=message):
        check_picture(kind, **options)


def test_every_kind_of_picture_of_a_grid_can_be_checked():
    assert [check_picture(kind, where="seed = 0") for kind in PICTURES if kind != "search"] == [None] * 11


def test_a_picture_of_curves_says_how_many_trials_were_stopped_early(store):
    stopped = {**TRIALS[0], "status": "stopped", "stop_rule": "asha"}
    point = {"trial_id": "a11", "step": 1, "split": "train", "metric": "order", "value": 0.5}
    tables = {"trials": [stopped], "curves": [point]}
    Store(store).write("part", {name: TABLES[name].build(rows) for name, rows in tables.items()})
    assert "1 of 1 trials were stopped early (1 asha)." in draw("curves", ALL, store).to_dict()["title"]["subtitle"]


@pytest.mark.slow
def test_a_map_of_mechanisms_says_how_many_trials_of_the_sweep_are_there(store):
    terms = {"none": 0.9, "EP": 0.5, "PP": 0.9, "EP+PP+BP": 0.5, "VP": 0.9}
    rows = [
        {"trial_id": row["trial_id"], "term": term, "split": "unseen", "metric": "order", "value": value}
        for row in TRIALS
        for term, value in terms.items()
    ]
    tables = {"trials": TABLES["trials"].build(TRIALS), "ablations": TABLES["ablations"].build(rows)}
    Store(store).write("part", tables)
    ids = ALL.trial_ids()
    notes = [subtitle(draw("mechanism", sweep(*asked), store, where="n_heads = 1")) for asked in (ids, [*ids, "other"])]
    assert ["The sweep has 5 trials, 4 are there." in note for note in notes] == [False, True]
    assert all("2 trials. Only trials with n_heads = 1." in note for note in notes)


@pytest.mark.slow
def test_rows_are_read_once_however_many_pictures_are_drawn_of_them(store, monkeypatch):
    read, load = [], sweep_rows.load

    def counting(root, table, **options):
        read.append(table)
        return load(root, table, **options)

    point = {"trial_id": "a11", "step": 1, "split": "train", "metric": "order", "value": 0.5}
    tables = {"trials": TRIALS, "curves": [point]}
    Store(store).write("part", {name: TABLES[name].build(rows) for name, rows in tables.items()})
    monkeypatch.setattr(sweep_rows, "load", counting)
    rows = sweep_rows.SweepRows(ALL, str(store))
    assert [draw_rows(kind, rows).to_dict()["title"]["text"] for kind in ("phase", "curves", "line")]
    assert read == ["trials", "curves"]
