"""`lrsym plot` as a user meets it: pictures and their names, and why there is none."""

import importlib.metadata
import json
from pathlib import Path

import polars as pl
import pytest

import lrsym as package
from lrsym.api.arguments import as_grid
from lrsym.results.plots.draw import draw
from lrsym.results.plots.palette import DARK, PAPER
from lrsym.results.plots.theme import in_theme
from lrsym.results.store.store import Store
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.spec.sweep_file import load
from tests.charts import nodes, subtitle
from tests.fitted import train
from tests.running import lrsym
from tests.small_trials import write_sweep

ENDINGS = (".html", ".png", ".svg", ".vl.json", ".parquet")
"""Of the files of a picture."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["phase"], "small-phase-unseen_order"),
        (["phase", "--metric", "seen_global"], "small-phase-seen_global"),
        (["phase", "--metric", "seconds"], "small-phase-seconds"),
        (["line", "--where", "seed < 9"], "small-line-unseen_order-seed-lt-9"),
        (
            ["line", "--metric", "seen_inset,unseen_inset", "--x", "layouts_per_pair", "--band", "range"],
            "small-line-seen_inset-unseen_inset-x-layouts_per_pair-band-range",
        ),
        (["curves"], "small-curves-order"),
        (["ablation"], "small-ablation-unseen"),
        (["mechanism", "--where", "path is not null"], "small-mechanism-path-is-not-null"),
        (["cost"], "small-cost"),
        (
            ["contrast", "--of", "layouts_per_pair=4", "--against", "layouts_per_pair=1"],
            "small-contrast-unseen_order-of-layouts_per_pair-eq-4-against-layouts_per_pair-eq-1",
        ),
        (["profile", "--where", "layouts_per_pair = 4"], "small-profile-layouts_per_pair-eq-4"),
        (["symmetry", "--x", "layouts_per_pair"], "small-symmetry-x-layouts_per_pair"),
    ],
)
def test_plots_are_saved_as_page_images_and_specification_with_their_frame(trained, tmp_path, words, name):
    path, results = trained
    report = json.loads(lrsym("plot", words[0], path, "--results", results, *words[1:], "--json"))
    pictures = [Path(p) for p in report["pictures"]]
    assert [p.name for p in pictures] == [f"{name}{ending}" for ending in ENDINGS]
    assert not pl.read_parquet(pictures[-1]).is_empty()
    assert all(p.parent == results / "plots" and p.stat().st_size > 1000 for p in pictures)


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
def test_pictures_of_different_cells_do_not_overwrite_each_other(trained):
    names = set()
    for where in ("seed < 2", "seed <= 2"):
        report = json.loads(lrsym("plot", "curves", trained[0], "--results", trained[1], "--where", where, "--json"))
        names.add(report["pictures"][0])
    assert len(names) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
def test_every_option_that_changes_a_picture_changes_its_name(trained):
    each = [
        ["phase"], ["phase", "--threshold", "0.8"], ["phase", "--x", "layouts_per_pair"],
        ["phase", "--y", "layouts_per_pair"],
        ["phase", "--x", "layouts_per_pair", "--threshold", "0.8"],
        ["curves"], ["curves", "--color", "layouts_per_pair"],
        ["line"], ["line", "--color", "layouts_per_pair"], ["line", "--x", "layouts_per_pair"],
        ["line", "--band", "range"], ["line", "--metric", "seen_order"],
    ]  # fmt: skip
    names = set()
    for words in each:
        report = json.loads(lrsym("plot", words[0], trained[0], "--results", trained[1], *words[1:], "--json"))
        names.add(report["pictures"][0])
    assert len(names) == len(each)


def _others(one, other):
    """The pairs of texts in which two specifications of the same shape differ, and how they do."""
    if isinstance(one, dict):
        assert {*one} == {*other}
        return [pair for key in one for pair in _others(one[key], other[key])]
    if isinstance(one, list):
        assert len(one) == len(other)
        return [pair for inner in zip(one, other, strict=True) for pair in _others(*inner)]
    return [] if one == other else [(one, other)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("phase", {}), ("phase", {"metric": "seconds"}), ("probabilities", {}), ("boundary", {"x": "layouts_per_pair"}),
        ("line", {}), ("curves", {}), ("ablation", {}), ("mechanism", {}), ("cost", {}),
        ("profile", {"where": "layouts_per_pair = 4"}), ("symmetry", {"x": "layouts_per_pair"}),
    ],
)  # fmt: skip
def test_a_dark_picture_differs_from_the_light_one_in_its_colours_alone(trained, kind, options):
    chart = draw(kind, as_grid(trained[0], str(trained[1])), str(trained[1]), **options)
    light, dark = chart.to_dict(), in_theme(chart, "dark").to_dict()
    assert dark["config"]["background"] == DARK[PAPER]
    assert all(DARK.get(one) == other for one, other in _others(light, dark) if isinstance(one, str))
    assert not {*_texts(dark)} & {*DARK}


def _texts(part):
    return [text for node in nodes(part) for text in node.values() if isinstance(text, str)]


@pytest.mark.slow
def test_the_page_of_a_dark_picture_is_dark_and_so_is_its_name(trained):
    words = ("plot", "curves", trained[0], "--results", trained[1], "--theme", "dark", "--json")
    page = Path(json.loads(lrsym(*words))["pictures"][0])
    assert page.name == "small-curves-order-theme-dark.html"
    assert f"body {{ background: {DARK[PAPER]}; }}" in page.read_text()


def test_a_theme_that_there_is_not_is_refused(trained):
    text = lrsym("plot", "curves", trained[0], "--results", trained[1], "--theme", "sepia", code=2)
    assert "invalid value for '--theme': must be one of light, dark, got sepia" in text


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
def test_an_ending_given_with_out_is_not_doubled(trained, tmp_path):
    for ending in ENDINGS:
        lrsym("plot", "curves", trained[0], "--results", trained[1], "--out", tmp_path / f"one{ending}")
    assert {p.name for p in tmp_path.iterdir()} == {f"one{ending}" for ending in ENDINGS}


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
def test_pictures_go_into_a_folder_that_is_given(trained, tmp_path):
    report = json.loads(lrsym("plot", "curves", trained[0], "--results", trained[1], "--out", tmp_path, "--json"))
    assert [Path(p).parent for p in report["pictures"]] == [tmp_path] * len(ENDINGS)


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
def test_where_keeps_the_trials_that_meet_it(trained, tmp_path):
    path, results = trained
    lrsym("plot", "curves", path, "--results", results, "--where", "layouts_per_pair = 4", "--out", tmp_path / "one")
    drawn = json.loads((tmp_path / "one.vl.json").read_text())
    assert "layouts_per_pair" not in {k for d in drawn["datasets"].values() for row in d for k in row} or {
        row["layouts_per_pair"] for d in drawn["datasets"].values() for row in d if "layouts_per_pair" in row
    } == {4}


@pytest.fixture(scope="module")
def normalised(tmp_path_factory):
    """A trained sweep without terms: its first block reads through a LayerNorm."""
    folder = tmp_path_factory.mktemp("normalised")
    path = write_sweep(folder, steps=5)
    path.write_text(path.read_text().replace("[base]", '[base]\n"model.layer_norm" = "pre"'))
    train(folder / "r", load(path).trials[:4])
    return path, folder / "r"


@pytest.fixture(scope="module")
def along_training(tmp_path_factory):
    """A sweep with the mechanism at every evaluation, trained."""
    folder = tmp_path_factory.mktemp("along")
    path = write_sweep(folder, steps=5)
    path.write_text(path.read_text().replace("[base]", '[base]\n"eval.mechanism" = "points"'))
    train(folder / "r", load(path).trials)
    return path, folder / "r"


@pytest.mark.slow
def test_the_onset_of_a_sweep_is_drawn_and_saved_under_its_name(along_training):
    path, results = along_training
    words = ("plot", "onset", path, "--results", results, "--where", "layouts_per_pair = 4", "--json")
    pictures = [Path(p) for p in json.loads(lrsym(*words))["pictures"]]
    assert pictures[0].name == "small-onset-layouts_per_pair-eq-4.html"
    assert all(p.stat().st_size > 1000 for p in pictures)


def test_the_onset_of_a_sweep_that_did_not_ask_for_it_says_how_to_ask(trained):
    text = lrsym("plot", "onset", trained[0], "--results", trained[1], code=2)
    assert 'the mechanism along training is told of trials with eval.mechanism = "points"' in text
    assert len(text.strip().splitlines()) == 1


@pytest.mark.parametrize("kind", ["ablation", "mechanism", "profile"])
def test_a_plot_of_terms_says_why_a_trained_sweep_has_none(normalised, kind):
    path, results = normalised
    text = lrsym("plot", kind, path, "--results", results, code=2)
    assert "model.layer_norm none or post" in text
    assert "train first" not in text


def test_a_plot_of_an_untrained_sweep_says_train_first_whatever_the_condition(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    words = ("plot", "ablation", path, "--results", tmp_path / "r", "--where", "seed = 0")
    assert "train first: lrsym sweep" in lrsym(*words, code=2)


def test_drawing_before_training_says_how_to_train(tmp_path):
    path = write_sweep(tmp_path, steps=5)
    text = lrsym("plot", "phase", path, "--results", tmp_path / "r", code=2)
    assert f"train first: lrsym sweep {path}" in text


@pytest.mark.slow
def test_the_picture_of_a_search_is_saved_as_the_others_are(searched):
    report = json.loads(lrsym("plot", "search", searched[0], "--results", searched[1], "--json"))
    stem = searched[1] / "plots/rates-search"
    assert report["pictures"] == [f"{stem}{ending}" for ending in ENDINGS]


@pytest.mark.slow
def test_pictures_of_sweeps_are_drawn_of_the_cells_that_a_search_has_chosen(searched):
    sweep = as_grid(searched[0], str(searched[1]))
    chart = draw("phase", sweep, str(searched[1]), x="layouts_per_pair", y="learning_rate")
    assert "10 trials, 2 seeds in each cell." in subtitle(chart)


def test_a_grid_has_no_picture_of_a_search(trained):
    text = lrsym("plot", "search", trained[0], "--results", trained[1], code=2)
    assert f"this picture is of searches, {trained[0]} has no [search]" in text


@pytest.mark.slow_after(3)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metric", "unseen_insets"], "got unseen_insets; did you mean unseen_inset?"),
        (["--metric", "seen_order,seen_order"], "metrics must differ, got seen_order twice; leave one out"),
        (["--metric", ""], "got nothing; write for example unseen_order"),
        (["--metric", "layouts_per_pair"], "a column of numbers of the table trials, which is no axis"),
        (["--x", "layout_per_pair"], "did you mean layouts_per_pair?"),
        (["--band", "sd"], "band must be one of interval, range, got sd"),
        (["--where", "seed = 9"], "no trial of small in"),
        (["--x", "n_heads", "--color", "n_heads"], "axes must differ"),
    ],
)
def test_a_line_that_cannot_be_drawn_is_told_in_one_line_with_the_remedy(trained, words, message):
    text = lrsym("plot", "line", trained[0], "--results", trained[1], *words, code=2)
    assert message in text
    assert len(text.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
def test_lines_of_two_sweeps_are_one_picture_with_both_names(trained, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(trained[0].read_text().replace('name = "small"', 'name = "other"'))
    report = json.loads(lrsym("plot", "line", trained[0], other, "--results", trained[1], "--json"))
    assert Path(report["pictures"][0]).name == "small-other-line-unseen_order.html"


def test_an_axis_that_is_none_is_told_with_the_nearest(trained):
    text = lrsym("plot", "phase", trained[0], "--results", trained[1], "--x", "layout_per_pair", code=2)
    assert "no axis layout_per_pair; did you mean layouts_per_pair?" in text


@pytest.fixture
def other(trained, tmp_path):
    """The file of a sweep of another name that has the trials of the trained one."""
    path = tmp_path / "other.toml"
    path.write_text(trained[0].read_text().replace('name = "small"', 'name = "other"'))
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize(
    ("words", "name"), [([], "small-other-phase-unseen_order"), (["--minus"], "small-other-phase-minus-unseen_order")]
)
def test_phases_of_two_sweeps_are_one_picture_with_both_names(trained, other, words, name):
    report = json.loads(lrsym("plot", "phase", trained[0], other, "--results", trained[1], *words, "--json"))
    assert Path(report["pictures"][0]).name == f"{name}.html"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minus"], "--minus takes two sweeps, the first minus the second, got 1; name two files"),
        (
            ["--metric", "unseen_ordr"],
            "metric must be an accuracy or another column of numbers, got unseen_ordr; did y",
        ),
        (["--metric", "secnds"], "did you mean seconds?"),
        (["--metric", "unseen_luck,5"], "a phase diagram has one metric, got unseen_luck,5"),
        (["--metric", "zzz"], "metric must be a split and a metric"),
        (["--metric", "steps_to_half_order", "--where", "seed = 99"], "no trial of small in"),
        (["--refined", "--minus"], "--refined and --minus exclude each other, got both; leave one of them out"),
    ],
)
def test_a_map_that_cannot_be_drawn_is_told_in_one_line_with_the_remedy(trained, words, message):
    text = lrsym("plot", "phase", trained[0], "--results", trained[1], *words, code=2)
    assert message in text
    assert len(text.strip().splitlines()) == 1


@pytest.mark.slow
def test_from_python_two_sweeps_are_a_list(trained, other):
    chart = package.plot_phase([trained[0], other], minus=True, results=trained[1])
    assert chart.to_dict()["title"]["text"] == "unseen_order: small minus other"
    with pytest.raises(package.UsageError, match=r"^minus takes two sweeps, got the trials of small twice"):
        package.plot_phase([trained[0], trained[0]], minus=True, results=trained[1])
    with pytest.raises(package.UsageError, match=r"^minus takes two sweeps, got rows"):
        package.plot_phase(package.load_trials(trained[1]), minus=True)


@pytest.mark.slow
def test_a_picture_says_by_which_command_and_which_lrsym_it_was_drawn(trained):
    path, results = trained
    words = ("plot", "phase", path, "--results", results, "--where", "seed < 3", "--json")
    drawn = next(file for file in json.loads(lrsym(*words))["pictures"] if file.endswith(".vl.json"))
    text = "".join(json.loads(Path(drawn).read_text())["vconcat"][-1]["mark"]["text"]).replace(" ", "")
    assert f"lrsym plot phase {path} --results {results} --where 'seed < 3' --json".replace(" ", "") in text
    assert f"bylrsym{importlib.metadata.version('lrsym')}" in text


@pytest.mark.parametrize("verb", [("plot", "phase"), ("plot", "curves"), ("report",)])
@pytest.mark.parametrize(("out", "message"), [("", "must name a file or a folder"), ("{}/new/", "no such folder")])
def test_an_empty_path_and_a_folder_that_is_not_there_are_refused_and_nothing_is_written(
    trained, tmp_path, monkeypatch, verb, out, message
):
    monkeypatch.chdir(tmp_path)
    text = lrsym(*verb, trained[0], "--results", trained[1], "--out", out.format(tmp_path), code=2)
    assert "'--out'" in text
    assert message in text
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "{}", "{}/"])
def test_a_picture_from_python_is_a_file_and_no_folder(trained, tmp_path, path):
    chart = package.plot_phase(trained[0], results=trained[1])
    with pytest.raises(package.UsageError, match="path must be the name of a file"):
        package.save(chart, path.format(tmp_path))
    assert not [*tmp_path.iterdir()]
    assert not tmp_path.with_suffix(".html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["phase", "--metric", "seconds", "--threshold", "0.5"], "threshold is for phases, which seconds has none of"),
        (["phase", "--refined", "--column", "layouts_per_pair"], "--refined draws no columns of panels, got --column"),
        (["curves", "--out", "one.pdf"], "a picture is written in all formats, .html, .png, ..., got .pdf"),
    ],
)
def test_what_says_nothing_about_a_picture_is_refused(trained, words, message):
    assert message in lrsym("plot", words[0], trained[0], "--results", trained[1], *words[1:], code=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ablation", "mechanism", "probabilities", "profile", "symmetry"])
def test_where_all_trials_diverged_every_picture_says_so(tmp_path, kind):
    sweep = load(write_sweep(tmp_path, steps=7))
    tables = status_rows(sweep.trials, status="diverged", message="loss is nan", run_id="r")
    Store(tmp_path / "results").write("p", tables)
    text = lrsym("plot", kind, sweep.source, "--results", tmp_path / "results", code=2)
    assert "8 diverged" in text


@pytest.mark.slow
def test_a_search_without_cells_names_the_command_that_trains(searched, trained):
    text = lrsym("plot", "search", searched[0], "--results", trained[1], code=2)
    assert f"lrsym sweep {searched[0]}" in text
