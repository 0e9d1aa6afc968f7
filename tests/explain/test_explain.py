"""One trial on one page: from the command line to what is written on it."""

import dataclasses
import errno
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import lrsym as lrsym_package
from lrsym.api.explanation import choose_trial
from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.explain import compute
from lrsym.explain.compute import check_kind, explain
from lrsym.explain.sections import changed_axes, header_text, page_sections, scene_text
from lrsym.results.store.lookup import find_trial
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store, load_trials
from lrsym.results.store.store import load as load_table
from lrsym.results.store.trial_row import axis_values
from lrsym.sweep.execution import retrain
from lrsym.sweep.execution.retrain import trained_model
from lrsym.sweep.execution.rows import status_rows
from lrsym.sweep.execution.weights import has_weights, load_weights
from lrsym.sweep.spec.sweep_file import load
from tests.browser import BINARY, Browser
from tests.fitted import Fitted, train
from tests.running import lrsym
from tests.small_trials import small, write_sweep
from tests.textbook import dense_logits

TRIAL = small(optim__steps=30)
SHORT = small(model__layer_norm="pre", model__vision_blocks=2, model__text_blocks=2)
"""A trial without terms, whose page is short."""

DECOMPOSED = ["What each head asks of a key", "Every query", "How the terms add up", "What is lost without a term"]
ALWAYS = ["What was trained", "Two mirrored scenes", "Attention of the vision encoder", "Attention of the text encoder"]


@pytest.fixture
def store(root, tmp_path):
    """A store with one done trial, without its weights."""
    return shutil.copytree(root, tmp_path / "r", ignore=shutil.ignore_patterns("weights"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A store with one done trial and its weights, which no test changes."""
    folder = tmp_path_factory.mktemp("explained")
    train(folder, [TRIAL], save_weights=True)
    return folder


def explained(root, trial):
    """The frames of `trial`, trained now if it is not in the store yet."""
    train(root, [trial], save_weights=True)
    return explain(load_weights(root, trial.trial_id), load_trials(root, trial_ids=[trial.trial_id]).collect())


@pytest.fixture(scope="module")
def explanation(root):
    return explain(load_weights(root, TRIAL.trial_id), load_trials(root).collect())


def files(root):
    return sorted(str(p) for p in root.rglob("*") if p.is_file())


def fails(*_, **__):
    raise AssertionError("trained again")


@pytest.mark.slow
def test_a_trial_is_trained_again_once_and_then_drawn_from_its_weights(store, monkeypatch):
    first = json.loads(lrsym("explain", TRIAL.trial_id[:6], "--results", store, "--json"))
    assert (first["trial_id"], first["retrained"]) == (TRIAL.trial_id, True)
    assert first["page"] == str(store / "explain" / f"{TRIAL.trial_id}.html")
    assert all(Path(first[name]).stat().st_size > 1000 for name in ("page", "picture", "weights"))
    monkeypatch.setattr(retrain, "fit", fails)
    second = json.loads(lrsym("explain", TRIAL.trial_id, "--results", store, "--json"))
    assert second == {**first, "retrained": False}


def test_a_folder_that_goes_while_a_trial_is_trained_again_is_not_made_anew(store, monkeypatch):
    def train_and_lose(trial, **_):
        shutil.rmtree(store)
        return Fitted([trial]).model

    monkeypatch.setattr(retrain, "retrain", train_and_lose)
    told = []
    trained_model(store, TRIAL, device="cpu", report=lambda fraction: None, on_message=told.append)
    assert ["was removed or moved meanwhile" in text for text in told] == [True]
    assert not store.exists()


@pytest.mark.slow
def test_where_nothing_can_be_written_the_page_is_made_all_the_same(store, tmp_path, monkeypatch):
    def refused(root, model):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(retrain, "save_weights", refused)
    assert '"weights": null' in lrsym("explain", TRIAL.trial_id, "--results", store, "--out", tmp_path, "--json")
    with pytest.warns(UserWarning, match="the weights are not kept, so it is trained again each time: .*Read-only"):
        page = lrsym_package.explain(TRIAL, tmp_path / "page.html", results=store)
    assert page.exists()


def test_what_cannot_be_drawn_or_written_is_told_before_anything_is_trained(store, tmp_path, monkeypatch):
    monkeypatch.setattr(retrain, "fit", fails)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"page\.html cannot be written: .*; name another place"):
        lrsym_package.explain(TRIAL, tmp_path / "file/page.html", results=store)
    with pytest.raises(UsageError, match="theme must be one of light, dark, got blue"):
        lrsym_package.explain(TRIAL, tmp_path / "page.html", results=store, theme="blue")
    with pytest.raises(UsageError, match="best must be a text, got 3"):
        lrsym_package.explain("small.toml", tmp_path / "page.html", results=store, best=3)
    assert {path.name for path in tmp_path.iterdir()} == {"r", "file"}


@pytest.mark.slow
def test_a_trial_that_is_trained_again_has_the_accuracies_of_its_row_and_is_not_trained_a_third_time(
    store, monkeypatch
):
    trial, row = find_trial(store, TRIAL.trial_id)
    for _ in range(2):
        model = trained_model(store, trial, device="cpu", report=lambda fraction: None, on_message=fails)
        assert explain(model, row).difference < 1e-6
        monkeypatch.setattr(retrain, "fit", fails)


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("abc", r"4 to 32 hex digits.*got abc"),
        ("wxyz", r"4 to 32 hex digits.*got wxyz"),
        ("0000", r"no trial in .* starts with 0000.*lrsym query"),
        ("abcd", r"2 trials start with abcd: abcd1, abcd2; give more digits"),
        (small(seed=8).trial_id, r"is crashed \(killed\).*choose a done one"),
        (small(seed=9).trial_id, r"is diverged \(at step 3\).*no trained model"),
        ("abcd1", r"trained by another version of lrsym; run its sweep again"),
    ],
)
def test_a_trial_that_cannot_be_explained_is_one_line_with_code_2_and_nothing_is_written(tmp_path, prefix, message):
    lost = {**axis_values(small(seed=9)), "status": "diverged", "message": "at step 3"}
    others = [{**axis_values(small()), "trial_id": name, "status": "done"} for name in ("abcd1", "abcd2")]
    store = Store(tmp_path)
    store.write("a", {"trials": TABLES["trials"].build([lost, *others])})
    store.write("b", status_rows([small(seed=8)], status="crashed", message="killed", run_id="r"))
    before = files(tmp_path)
    text = lrsym("explain", prefix, "--results", tmp_path, code=2)
    assert re.fullmatch(f"error: .*{message}.*\n", text)
    assert files(tmp_path) == before


def test_without_results_the_remedy_is_to_train(tmp_path):
    assert "there are no results" in lrsym("explain", "abcd", "--results", tmp_path / "typo", code=2)


@pytest.mark.slow
def test_every_axis_of_a_trial_comes_back_from_its_row(store):
    assert find_trial(store, TRIAL.trial_id[:4].upper())[0] == TRIAL


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A folder with a sweep file of two cells under two seeds, and its rows: three are done, one has diverged."""
    folder = tmp_path_factory.mktemp("several")
    file = write_sweep(folder, steps=12, seeds=2)
    trials = load(file).trials
    values = [(0.5, 300), (0.9, None), (0.9, 100)]
    rows = [
        {**axis_values(trial), "status": "done", "unseen_order": order, "steps_to_seen_order": steps}
        for trial, (order, steps) in zip(trials[:3], values, strict=True)
    ]
    lost = {**axis_values(trials[3]), "status": "diverged", "message": "at step 3"}
    Store(folder / "r").write("a", {"trials": TABLES["trials"].build([*rows, lost])})
    return file, str(folder / "r"), trials


def test_of_a_sweep_the_best_trial_is_taken_and_the_heading_is_its_configuration(several):
    file, root, trials = several
    first = min(trials[1:3], key=lambda trial: trial.trial_id)
    chosen = choose_trial(str(file), root, best="unseen_order")
    assert chosen.trial == first
    assert chosen.heading == f"layouts_per_pair {first.scenes.layouts_per_pair}, seed {first.seed}"
    assert chosen.sentence == (
        f"Trial {first.trial_id} of small, unseen_order 0.9 in its row (the first of 2 with it), the highest of 3 done "
        "trials."
    )
    chosen = choose_trial(file, root, best="steps_to_seen_order", minimise=True)
    assert (chosen.trial, chosen.sentence.partition("small, ")[2]) == (
        trials[2], "steps_to_seen_order 100 in its row, the lowest of 2 done trials."
    )  # fmt: skip
    chosen = choose_trial(load(file), root, where="layouts_per_pair = 4")
    assert (chosen.trial, chosen.sentence.partition("small, ")[2]) == (
        trials[2], "the only one that is done where layouts_per_pair = 4."
    )  # fmt: skip


def test_the_heading_has_what_the_sweep_varies_also_where_one_value_is_trained(several, tmp_path):
    file, _, trials = several
    row = {**axis_values(trials[0]), "status": "done"}
    Store(tmp_path / "r").write("a", {"trials": TABLES["trials"].build([row])})
    assert choose_trial(file, str(tmp_path / "r")).heading == "layouts_per_pair 1, seed 0"


def test_a_trial_by_its_name_is_headed_by_what_differs_from_the_defaults(several):
    _, root, trials = several
    chosen = choose_trial(trials[0].trial_id, root)
    assert chosen.heading.startswith("n_positions 5, n_labels 7, ")
    assert re.search(r", and \d+ more axes, seed 0$", chosen.heading)
    assert chosen.sentence == f"Trial {trials[0].trial_id}."
    assert choose_trial(trials[0], root).heading == chosen.heading


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), r"one trial is explained, small has 3 done trials here; choose one with --best unseen_order, or "),
        (("--minimise",), r"--minimise goes with --best, which names a column of trials; add it"),
        (("--best", "unseen_ordre"), r'--best must name a column of numbers, "unseen_ordre" is .* mean unseen_order'),
        (("--best", "single_inset"), r"no done trial of small here has a single_inset; choose by another column"),
        (("--where", "seed = 7"), r"no trial of small in .* where seed = 7; there seed is 0, 1; change the condition"),
        (("--where", "layouts_per_pair = 4 and seed = 1"), r"no trial of small in .* is done, .*; they are diverged"),
    ],
)
def test_of_a_sweep_it_must_be_one_trial(several, words, message):
    file, root, _ = several
    assert re.search(message, lrsym("explain", file, "--results", root, *words, code=2))


def test_one_trial_is_not_chosen_among_others(several):
    _, root, trials = several
    text = lrsym("explain", trials[0].trial_id[:8], "--results", root, "--best", "unseen_order", code=2)
    assert text == "error: --best chooses among the trials of a sweep, one trial is named; leave it out\n"


@pytest.mark.slow
@pytest.mark.skipif(BINARY is None, reason="needs Chromium (Debian's package chromium)")
def test_the_page_from_python_answers_the_mouse_and_is_read_on_a_phone(explanation, root, tmp_path):
    page = lrsym_package.explain(TRIAL, tmp_path / "page.html", results=root)
    browser = Browser(tmp_path)
    try:
        browser.open(page)
        card = "[...document.querySelectorAll('.card')].find(card => card.innerText.startsWith('Every query'))"
        tip = browser.hover(f"{card}.querySelectorAll('.mark-rect.role-mark path')[1]")
        logit = explanation.maps.filter(head=0, term="EE", query="[CLS]", key="bg")["value"].item()
        assert tip == {"head": "0", "term": "EE", "query": "[CLS]", "key": "bg", "logit": tip["logit"]}
        assert float(tip["logit"].replace("\u2212", "-")) == pytest.approx(logit, abs=5e-4)
        browser.resize(390, 800)
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        assert browser.problems == []
        assert browser.requests == [page.as_uri()]
    finally:
        browser.close()


def test_a_model_of_other_encoders_is_refused(monkeypatch):
    layout = SimpleNamespace(named=lambda: [("decoder", "token", (1,)), ("loss", "log_scale", ())])
    monkeypatch.setattr(compute, "ModelShape", SimpleNamespace(of=lambda trial: layout))
    with pytest.raises(UsageError, match=r"a vision and a text encoder.*made of decoder; choose another"):
        check_kind(TRIAL)


def test_the_contributions_on_the_page_add_up_to_the_logits_and_these_to_the_attention(explanation, root):
    scenes, places = (explanation.scenes[name].n_unique() for name in ("scene", "place"))
    token = {"bg": 0, "[CLS]": 8, **{str(n): n for n in range(1, 8)}}
    tokens = np.array(explanation.scenes["token"].replace_strict(token)).reshape(scenes, places)
    logits = dense_logits(load_weights(root, TRIAL.trial_id), tokens)
    keys = ["scene", "head", "place"]
    added = explanation.contributions.group_by(keys).agg(pl.col("value").sum()).sort(keys)
    np.testing.assert_allclose(added["value"], logits.flatten(), atol=1e-4)
    attention = explanation.vision_attention.sort(keys)["value"]
    np.testing.assert_allclose(attention, logits.softmax(-1).flatten(), atol=1e-5)


def test_the_maps_row_of_cls_holds_the_profiles_of_the_table_terms(explanation, root):
    stored = load_table(root, "terms").filter(encoder="vision", head=1, term="EP").collect()["profile"].item()
    row = explanation.readout.filter(head=1, term="EP")
    assert row["key"].to_list() == ["[CLS]", "1", "2", "3", "4", "5"]
    np.testing.assert_allclose(row["value"], stored, atol=1e-5)


def test_ablations_and_accuracies_are_those_of_the_rows(explanation, root):
    keys = ["term", "split", "metric"]
    rows = load_table(root, "ablations").drop("trial_id").sort(keys).collect()
    mine = explanation.ablations.sort(keys)
    assert mine.select(keys).equals(rows.select(keys))
    np.testing.assert_allclose(mine["value"], rows["value"], atol=1e-6)
    assert explanation.difference < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trial", "n"), [(SHORT, 4), pytest.param(TRIAL, 8, marks=pytest.mark.slow)], ids=["short", "whole"]
)
def test_from_weights_that_a_sweep_kept_comes_a_page_with_a_drawing_in_every_section_that_needs_no_network(
    tmp_path, monkeypatch, trial, n
):
    train(tmp_path, [trial], save_weights=True)
    monkeypatch.setattr(retrain, "fit", fails)
    printed = lrsym("explain", trial.trial_id, "--results", tmp_path, "--out", tmp_path / "pages" / "mine")
    page, picture = (tmp_path / "pages" / f"mine.{ending}" for ending in ("html", "png"))
    assert printed.split() == [str(page), str(picture)]
    text = page.read_text()
    assert text.count('<div class="drawing">') == n
    assert trial.trial_id in text
    assert not re.search(r'(src|href)="(?!#)|@import', text.partition("<script>")[0])
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_trial_with_terms_has_every_section_with_a_chart(explanation):
    found = page_sections(explanation)
    assert len(found) == 8
    assert all(s.heading.startswith((*ALWAYS, *DECOMPOSED)) and s.chart.to_dict() for s in found)


def test_the_page_says_for_both_scenes_which_caption_wins(explanation):
    for row, line in zip(explanation.captions.to_dicts(), scene_text(explanation)[1:], strict=True):
        assert f"“{row['text']}” {row['score']:.3f} against “{row['other']}” {row['other_score']:.3f}" in line
        assert ("the true one wins" in line) == (row["score"] > row["other_score"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trial", "ablated"),
    [
        (SHORT, []),
        # The rotation can be left out.
        (small(model__positions="rotary", model__init_position_std=0.0, model__n_heads=2), DECOMPOSED[-1:]),
    ],
    ids=["norm", "rotary"],
)
def test_without_terms_the_page_says_why_and_draws_the_rest(tmp_path, trial, ablated):
    found = page_sections(explained(tmp_path, trial))
    assert [s.heading for s in found if s.heading.startswith(tuple(DECOMPOSED))] == ablated
    (why,) = (s.text for s in found if s.heading == "No decomposition into terms")
    assert "LayerNorm" in why[0]
    assert sum(s.chart is not None for s in found) == len(ALWAYS) + len(ablated)


@pytest.mark.slow
def test_a_trial_without_pairs_to_ask_has_a_page_without_ablations(tmp_path):
    trial = small(scenes__n_heldout_labels=0, scenes__layouts_per_pair=10, model__n_heads=1)
    found = page_sections(explained(tmp_path, trial))
    assert "What is lost without a term" not in {s.heading for s in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        {"scenes__n_rows": 3, "scenes__captions": "left+above", "scenes__n_objects": 3, "model__n_heads": 1},
        pytest.param(
            {
                "scenes__captions": "both", "scenes__n_heldout_labels": 0, "model__text_blocks": 2, "model__repeats": 2,
                "model__n_heads": 1,
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=["grid", "both"],
)  # fmt: skip
def test_grids_three_objects_both_captions_and_depth_are_drawn(tmp_path, kind):
    trial = small(**kind)
    result = explained(tmp_path, trial)
    assert result.text_attention["application"].n_unique() == trial.model.text_blocks * trial.model.repeats
    assert result.captions["caption"].n_unique() > 2
    assert all(section.chart for section in page_sections(result))


def test_of_many_captions_the_page_says_how_many_win(explanation):
    rows = pl.DataFrame({"scene": [0] * 3 + [1] * 3, "score": [0.5] * 6, "other_score": [0.4, 0.6, 0.4, 0.6, 0.6, 0.6]})
    text = scene_text(dataclasses.replace(explanation, captions=rows))[1:]
    assert [line.partition(": ")[2].partition(" true")[0] for line in text] == ["2 of 3", "0 of 3"]


def test_a_tie_is_a_win_of_neither_caption(explanation):
    scores = {"score": [0.5, 0.6], "other_score": [0.5, 0.5]}
    rows = pl.DataFrame({"scene": [0, 1], "text": ["a", "b"], "other": ["b", "a"], **scores})
    tie, won = scene_text(dataclasses.replace(explanation, captions=rows))[1:]
    assert "a tie" in tie
    assert "wins" not in tie
    assert "the true one wins" in won


def test_a_model_with_other_accuracies_than_its_row_is_told_on_the_page(explanation, root):
    stored = explanation.row.with_columns(unseen_order=pl.col("unseen_order") - 0.25)
    result = explain(load_weights(root, TRIAL.trial_id), stored)
    assert result.difference == pytest.approx(0.25)
    assert "by up to 0.250" in " ".join(header_text(result))


def test_the_header_names_the_axes_that_differ_and_not_those_that_follow():
    def row(**axes):
        return pl.DataFrame(axis_values(Trial.from_axes(axes)))

    assert changed_axes(row(**{"scenes.n_pair_labels": 9, "seed": 3})) == {"scenes.n_pair_labels": 9}
    wide = {"model.d_model": 64, "model.embedding_scale": 1.0}
    assert changed_axes(row(**wide)) == wide
    assert changed_axes(row(**{"model.d_model": 64})) == {"model.d_model": 64}


@pytest.mark.slow
def test_of_very_many_labels_a_selection_is_mapped(tmp_path):
    result = explained(tmp_path, small(scenes__n_labels=60, optim__steps=1, eval__points=1))
    labels = result.maps.filter(head=0, term="BE")["key"].to_list()
    assert len(labels) == 36
    assert {"[CLS]", "bg", "1", "60"} < {*labels}


def test_retraining_that_diverges_is_told_and_keeps_nothing(store):
    wild = small(optim__steps=3, optim__learning_rate=1e38)
    row = {**axis_values(wild), "status": "done"}
    Store(store).write("wild", {"trials": TABLES["trials"].build([row])})
    text = lrsym("explain", wild.trial_id, "--results", store, code=2)
    assert "diverged at step" in text
    assert not has_weights(store, wild.trial_id)
