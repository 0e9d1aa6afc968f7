"""Reading and drawing from Python: errors of one line in place of empty frames, charts that can be put together."""

import altair as alt
import polars as pl
import pytest

import lrsym
from lrsym.results.store.schema import TABLES
from tests.fitted import train
from tests.pages import ROOT
from tests.small_trials import SMALL

BASE = {**SMALL, "eval.mechanism": "points"}


@pytest.fixture(scope="module")
def sweep():
    return lrsym.Sweep.grid("mine", base=BASE, grid={"optim.weight_decay": [0.01, 0.02]}, replicates=2)


@pytest.fixture(scope="module")
def results(tmp_path_factory, sweep):
    root = tmp_path_factory.mktemp("results")
    train(root, [*sweep.trials])
    return root


@pytest.fixture(scope="module")
def charts(sweep, results):
    """Every picture of a grid, from the sweep and from the rows of its trials."""
    rows = sweep.trials_frame(results)
    one = rows.filter(pl.col("weight_decay") == 0.01)
    return [
        lrsym.plot_phase(rows), lrsym.plot_phase(sweep, results=results), lrsym.plot_curves(rows, results=results),
        lrsym.plot_curves(sweep, results=results, where="seed = 0"), lrsym.plot_ablation(rows, results=results),
        lrsym.plot_profile(one, results=results), lrsym.plot_mechanism(rows),
        lrsym.plot_mechanism(sweep, results=results, x="weight_decay", where="seed = 0"),
        lrsym.plot_line(rows, metric=["seen_order", "unseen_order"]), lrsym.plot_line([sweep], results=results),
        lrsym.plot_onset(one, results=results), lrsym.plot_onset(sweep, results=results, where="seed = 0"),
        lrsym.plot_symmetry(rows, results=results), lrsym.plot_symmetry(sweep, results=results, x="weight_decay"),
    ]  # fmt: skip


READERS = {
    "load": lambda root: lrsym.load(root, "curves"),
    "load_trials": lrsym.load_trials,
    "query": lambda root: lrsym.query(root, "select * from trials"),
    "trials_frame": lambda root: lrsym.load_sweep(ROOT / "sweeps/demo.toml").trials_frame(root),
    "claims": lambda root: lrsym.claims(ROOT / "claims/recipe.toml", root),
    "best": lambda root: lrsym.best(ROOT / "sweeps/demo.toml", root, metric="unseen_order"),
    "plot_phase": lambda root: lrsym.plot_phase(ROOT / "sweeps/demo.toml", results=root),
    "plot_line": lambda root: lrsym.plot_line(ROOT / "sweeps/demo.toml", results=root),
    "contrast": lambda root: lrsym.contrast(
        ROOT / "sweeps/demo.toml", of={"n_pair_labels": 15}, against={"n_pair_labels": 5}, results=root
    ),
    "plot_curves": lambda root: lrsym.plot_curves(ROOT / "sweeps/demo.toml", results=root),
    "boundary": lambda root: lrsym.boundary(ROOT / "sweeps/demo.toml", results=root),
    "plot_boundary": lambda root: lrsym.plot_boundary(ROOT / "sweeps/demo.toml", results=root),
    "plot_probabilities": lambda root: lrsym.plot_probabilities(ROOT / "sweeps/demo.toml", results=root),
    "plot_refined": lambda root: lrsym.plot_refined(ROOT / "sweeps/demo.toml", results=root),
    "plot_search": lambda root: lrsym.plot_search(ROOT / "sweeps/rates.toml", results=root),
}


@pytest.mark.slow_after(8)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_without_results_is_named_in_one_line(tmp_path, monkeypatch, reader, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(lrsym.UsageError, match=rf"{folder}\b") as found:
        READERS[reader](folder)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(("table", "hint"), [("curvs", "did you mean curves?"), ("", "choose one"), (5, "choose one")])
def test_a_table_that_does_not_exist_is_named_with_those_that_do(results, table, hint):
    with pytest.raises(lrsym.UsageError, match="table must be one of trials, curves, ") as found:
        lrsym.load(results, table)
    assert hint in str(found.value)


def test_a_table_in_place_of_the_folder_is_told_what_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(lrsym.UsageError, match=r'curves is a table, the folder comes first: lrsym\.load\("results", '):
        lrsym.load("curves")


def test_every_table_loads(results, sweep):
    found = {table: lrsym.load(results, table, trial_ids=sweep.trial_ids()).collect().height for table in TABLES}
    assert found["trials"] == 4
    assert found["curves"] > 4
    assert found["suggestions"] == 0  # no search has run here


def test_the_status_counts_what_is_there_and_what_is_missing(results):
    wider = lrsym.Sweep.grid("mine", base=BASE, grid={"optim.weight_decay": [0.01, 0.02]}, replicates=3)
    found = lrsym.status(wider, results)
    assert (found.statuses, found.missing) == ({"done": 4}, 2)


@pytest.mark.slow
def test_claims_are_judged_on_the_committed_rows():
    (judged,) = lrsym.claims(ROOT / "claims/recipe.toml", ROOT / "results/reference", ids=["GAUGE"])
    assert judged.claim.id == "GAUGE"


@pytest.mark.slow
def test_a_chart_carries_no_config_and_can_stand_beside_and_below_another(charts):
    for chart in charts:
        assert chart.config is alt.Undefined
        beside = (charts[0] | chart).to_dict()
        assert [part["title"]["text"] for part in beside["hconcat"]] == [charts[0].title.text, chart.title.text]
        assert beside["config"]["title"]["fontSize"] == 20  # of the theme
        assert len((charts[0] & chart).to_dict()["vconcat"]) == 2


@pytest.mark.slow
def test_a_chart_shows_in_a_notebook_without_a_network(charts):
    page = charts[0]._repr_mimebundle_()["text/html"]
    assert "vegaEmbed(" in page
    assert "src=" not in page.partition("<script>")[0]
    assert "cdn.jsdelivr.net" not in page.rpartition("window.vegaEmbed(")[2]
    assert page.count("<script") == page.count("</script") == 1


@pytest.mark.slow
def test_another_theme_and_renderer_that_the_user_has_chosen_stay():
    import subprocess
    import sys

    code = (
        "import altair as alt; alt.theme.enable('dark'); alt.renderers.enable('png')\n"
        "import lrsym; lrsym.plot_phase; print(alt.theme.active, alt.renderers.active)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "dark png\n"


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".html", ".png", ".svg", ".json"])
def test_a_suffix_names_the_one_format(charts, tmp_path, suffix):
    (path,) = lrsym.save(charts[0] | charts[2], tmp_path / f"a.b{suffix}")
    assert [*tmp_path.iterdir()] == [path]
    assert path.name == f"a.b{suffix}"
    assert path.stat().st_size > 1000


@pytest.mark.slow
def test_without_a_suffix_all_formats_are_written(charts, tmp_path):
    paths = lrsym.save(charts[0], str(tmp_path / "new" / "x-0.5"))
    assert [path.name for path in paths] == [
        f"x-0.5{ending}" for ending in (".html", ".png", ".svg", ".json", ".parquet")
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.pdf", r"x\.pdf: a picture is written as \.html, \.png, \.svg, \.json, \.parquet, got \.pdf"),
        ("file/x.json", r"file.*cannot be written"),
    ],
)
def test_what_cannot_be_saved_is_one_line(sweep, results, tmp_path, name, message):
    (tmp_path / "file").write_text("")
    with pytest.raises(lrsym.UsageError, match=message):
        lrsym.save(lrsym.plot_phase(sweep, results=results), tmp_path / name)


def test_what_is_no_chart_is_not_saved(tmp_path):
    with pytest.raises(lrsym.UsageError, match="chart must be a chart of altair, got dict"):
        lrsym.save({}, tmp_path / "x.png")


def test_a_contrast_is_a_frame_of_the_differences_of_paired_trials(results, sweep):
    sides = {"of": {"optim.weight_decay": 0.02}, "against": {"weight_decay": 0.01}}
    frames = [
        lrsym.contrast(sweep, **sides, metric=["train_order", "train_inset"], results=results),
        lrsym.contrast(sweep.trials_frame(results), **sides, metric="train_order,train_inset"),
    ]
    assert frames[0].equals(frames[1])
    rows = sweep.trials_frame(results).sort("weight_decay", "seed").collect()["train_inset"].to_list()
    assert frames[0]["estimate"][1] == pytest.approx((rows[2] - rows[0] + rows[3] - rows[1]) / 2)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rows: lrsym.plot_line(rows, metric=["unseen"]), "got unseen"),
        (lambda rows: lrsym.plot_line(rows, band="sd"), "band must be one of interval, range"),
        (lambda rows: lrsym.plot_line([]), "trials must be rows, a sweep or a list of sweeps"),
        (
            lambda rows: lrsym.contrast(rows, of={"steps": 9}, against={"steps": 8}),
            "of: no trial has steps = 9; values",
        ),
        (lambda rows: lrsym.contrast(rows, of="steps=9", against={}), "of must map axes to values, got 'steps=9'"),
        (lambda rows: lrsym.plot_phase(rows, metric="unseen"), "unseen"),
        (lambda rows: lrsym.plot_phase(rows, x="nothing"), "nothing"),
        (lambda rows: lrsym.plot_phase(rows, threshold=2), "threshold must be an accuracy above 0"),
        (lambda rows: lrsym.plot_phase(rows, where="no"), "where 'no' is no condition"),
        (lambda rows: lrsym.plot_phase(rows.head(0)), "there are no trials to draw"),
        (lambda rows: lrsym.plot_phase(5), "sweep must be a Sweep, got int"),
        (lambda rows: lrsym.plot_curves(rows.select("status")), "rows must have the column trial_id"),
        (lambda rows: lrsym.plot_phase([rows, rows], minus=True, threshold=0.5), "threshold is for phases"),
        (lambda rows: lrsym.boundary(rows, level=0), "level must be an accuracy above 0 and below 1"),
        (lambda rows: lrsym.plot_boundary(rows, x="learning_rate"), "learning_rate has one"),
        (lambda rows: lrsym.phase_probabilities(rows, threshold=0), "threshold must be an accuracy above 0"),
        (lambda rows: lrsym.plot_refined(rows), "give a sweep, or cells="),
        (
            lambda rows: lrsym.plot_search(ROOT / "sweeps/demo.toml"),
            r"this picture is of searches, .*demo\.toml has no \[search\]; .*: lrsym plot phase .*demo\.toml",
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_line(results, sweep, draw, message):
    with pytest.raises(lrsym.UsageError, match=message) as found:
        draw(sweep.trials_frame(results))
    assert "\n" not in str(found.value)
    assert " --" not in str(found.value).partition(": lrsym ")[0]  # commands are to be typed


@pytest.mark.slow
def test_axes_that_are_preferred_come_first_of_a_sweep_too():
    def title(**options):
        sweep = ROOT / "sweeps/labels_by_layouts.toml"
        lines = lrsym.plot_phase(sweep, results=ROOT / "results/reference", **options).title.text
        return lines if isinstance(lines, str) else " ".join(lines)

    by_labels = "order accuracy on unseen by label diversity (n_pair_labels) and layout diversity (layouts_per_pair)"
    assert title() == title(prefer=["n_pair_labels", "layouts_per_pair"]) == by_labels
    assert "by layout diversity" in title(prefer=["layouts_per_pair", "n_pair_labels"])
