"""`lrsym claims` as a user meets it: verdicts, page, exit codes, training what is missing."""

import json
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from lrsym.claims.file import load
from lrsym.sweep import driver
from lrsym.sweep.driver import Outcome
from tests.cli.test_search import write_search
from tests.running import lrsym
from tests.small_trials import write_sweep

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results/reference"
SHIPPED = ROOT / "claims/recipe.toml"


@pytest.fixture(scope="module")
def shipped():
    """The report on the shipped claims."""
    return json.loads(lrsym("claims", SHIPPED, "--results", REFERENCE, "--no-page", "--json"))


def claims_file(folder, body=""):
    """A claims file about the small sweep, which lies in a folder beside it."""
    (folder / "sweeps").mkdir(exist_ok=True)
    (folder / "claims").mkdir(exist_ok=True)
    write_sweep(folder / "sweeps", steps=5, seeds=2)
    path = folder / "claims" / "small.toml"
    path.write_text(f"""name = "small"
[[claim]]
id = "C1"
sentence = "Accuracies are accuracies."
source = "here"
minimum_n = 4
[claim.sweeps]
"small" = "../sweeps/small.toml"
{body}
[[claim.part]]
name = "order in training"
estimate = "select train_order as value from trials"
at_least = -1
at_most = 2
""")
    return path


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_shipped_claims_are_all_judged_on_all_their_trials(shipped):
    assert [one["id"] for one in shipped["claims"]] == [claim.id for claim in load(SHIPPED).claims]
    for one in shipped["claims"]:
        for arm in one["arms"]:
            assert arm["missing"] == 0
            assert all(part["n"] >= one["minimum_n"] and not part["too_few"] for part in arm["parts"])


def test_the_gauge_claim_is_supported_and_chance_at_five_labels_is_refuted(shipped):
    verdicts = {one["id"]: one["arms"][0]["verdict"] for one in shipped["claims"]}
    assert verdicts["GAUGE"] == "supported"
    assert verdicts["CHANCE"] == "refuted"
    assert shipped["counts"] == {name: Counter(verdicts.values())[name] for name in shipped["counts"]}


def test_an_estimate_is_the_number_that_the_readme_shows(shipped):
    parts = {part["name"]: part for one in shipped["claims"] for arm in one["arms"] for part in arm["parts"]}
    assert round(parts["order on unseen pairs without EP"]["estimate"], 2) == 0.60
    assert len(parts["order on unseen pairs without EP"]["values"]) == 20


@pytest.mark.slow
def test_the_page_holds_every_claim_with_sentence_sql_command_and_pictures_and_fetches_nothing(tmp_path):
    asked = ("--claim", "GAUGE", "--claim", "CHANCE")  # one with a picture of its rows, and one without
    path = tmp_path / "page.html"
    report = json.loads(lrsym("claims", SHIPPED, "--results", REFERENCE, *asked, "--out", path, "--json"))
    page = path.read_text()
    assert len(report["claims"]) == 2
    for one in report["claims"]:
        assert f'id="{one["id"]}"' in page
        assert one["sentence"] in page
        assert f"--claim {one['id']}" in page
    assert page.count("<img") == 2 + 1
    assert page.count("<details>") == 2
    assert not re.search(r"(?:src|href)=\"(?!data:image/svg|#)", page)
    assert "<script" not in page


@pytest.mark.slow
def test_verdicts_are_a_table_with_a_line_for_each_claim_and_arm(shipped):
    text = lrsym("claims", SHIPPED, "--results", REFERENCE, "--no-page")
    for one in shipped["claims"]:
        assert re.search(rf"^{one['id']} +{one['arms'][0]['arm']} +{one['arms'][0]['verdict']} ", text, re.MULTILINE)
    assert "claimed 0.35 to 0.65" in text


@pytest.mark.slow
def test_one_claim_can_be_asked_alone_and_its_page_leaves_the_whole_one_as_it_is(tmp_path):
    path = claims_file(tmp_path)
    (tmp_path / "r").mkdir()
    whole = json.loads(lrsym("claims", path, "--results", tmp_path / "r", "--json"))
    part = json.loads(lrsym("claims", path, "--results", tmp_path / "r", "--claim", "C1", "--json"))
    assert whole["page"] == str(tmp_path / "r/claims/small.html")
    assert part["page"] == str(tmp_path / "r/claims/small-C1.html")


def test_trials_that_are_missing_are_told_with_the_command_that_trains_them(tmp_path):
    path = claims_file(tmp_path)
    (tmp_path / "r").mkdir()
    text = lrsym("claims", path, "--results", tmp_path / "r", "--no-page")
    assert f"small: 4 of 4 trials missing; run: lrsym claims {path} --results {tmp_path / 'r'} --run" in text
    assert re.search(r"C1 +small +undecided +0 .*too few: 0 of 4", text)
    assert files(tmp_path / "r") == []
    again = lrsym(
        "claims", path, "--results", tmp_path / "r", "--no-page", "--claim", "C1", "--workers", 3, "--pack", 2
    )
    assert f"run: lrsym claims {path} --workers 3 --pack 2 --results {tmp_path / 'r'} --claim C1 --run" in again


@pytest.mark.slow
def test_run_trains_what_is_missing_once_and_then_judges(tmp_path):
    path, results = claims_file(tmp_path, '"again" = "../sweeps/../sweeps/small.toml"'), tmp_path / "r"
    report = json.loads(lrsym("claims", path, "--results", results, "--run", "--workers", 1, "--json"))
    assert [arm["verdict"] for arm in report["claims"][0]["arms"]] == ["supported"] * 2
    assert report["claims"][0]["arms"][0]["missing"] == 0
    assert len(files(results / "runs")) == 1
    before = files(results / "trials")
    lrsym("claims", path, "--results", results, "--run", "--no-page")
    assert files(results / "trials") == before


def test_ctrl_c_while_training_leaves_with_130_and_prints_no_verdict(tmp_path, monkeypatch):
    path = claims_file(tmp_path)
    stopped = Outcome(run_id="r", statuses=Counter(), pending=4, stopped_by=signal.SIGINT, seconds=1.0)
    monkeypatch.setattr(driver, "run", lambda *_: stopped)
    assert lrsym("claims", path, "--results", tmp_path / "r", "--run", code=130) == ""


def test_trials_that_fail_while_training_are_exit_code_1_after_the_verdicts(tmp_path, monkeypatch):
    path = claims_file(tmp_path)
    failed = Outcome(run_id="r", statuses=Counter(crashed=4), pending=0, stopped_by=None, seconds=1.0)
    monkeypatch.setattr(driver, "run", lambda *_: failed)
    assert "4 of 4 trials missing" in lrsym("claims", path, "--results", tmp_path / "r", "--run", "--no-page", code=1)


def test_the_command_that_trains_claims_again_has_the_pack_size_that_fitted(tmp_path, monkeypatch):
    path = claims_file(tmp_path)
    failed = Outcome("r", Counter(done=3, out_of_memory=1), pending=0, stopped_by=None, seconds=1.0, fitting_size=3)
    monkeypatch.setattr(driver, "run", lambda *_: failed)
    words = ("--results", tmp_path / "r", "--run", "--no-page", "--pack", 4)
    text = lrsym("claims", path, *words, code=1)
    assert f"run: lrsym claims {path} --pack 3 --results {tmp_path / 'r'} --run" in text


@pytest.mark.slow
def test_the_sweeps_of_claims_share_one_limit_of_hours(tmp_path, monkeypatch):
    path, trained = claims_file(tmp_path, '"other" = "../sweeps/other.toml"'), []
    small = tmp_path / "sweeps" / "small.toml"
    small.with_name("other.toml").write_text(small.read_text().replace('name = "small"', 'name = "other"') + "\n")

    def run(plan, *_):
        trained.append(plan.sweep)
        return Outcome("r", Counter(done=4), pending=0, stopped_by=None, seconds=1.0, hours=1.0)

    monkeypatch.setattr(driver, "run", run)
    words = ("claims", path, "--results", tmp_path / "r", "--run", "--no-page")
    lrsym(*words, "--max-core-hours", 1)
    assert trained == ["small"]
    lrsym(*words, "--max-core-hours", 1.1)
    assert trained == ["small", "small", "other"]


def test_too_low_a_limit_of_hours_for_the_first_sweep_of_claims_is_refused(tmp_path):
    path = claims_file(tmp_path)
    words = ("claims", path, "--results", tmp_path / "r", "--run", "--max-core-hours", 1e-9)
    assert "give at least" in lrsym(*words, code=2)
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_a_picture_that_the_rows_do_not_fit_is_a_warning_and_the_verdicts_stand(tmp_path):
    text = SHIPPED.read_text().replace('kind = "phase"\nmetric = "unseen_order"', 'kind = "curves"')
    path = tmp_path / "claims" / "recipe.toml"
    path.parent.mkdir()
    path.write_text(text.replace("../sweeps/", f"{ROOT}/sweeps/"))
    page = tmp_path / "page.html"
    words = ("claims", path, "--results", REFERENCE, "--claim", "CHANCE", "--out", page)
    assert "refuted" in lrsym(*words)
    assert "No picture: " in page.read_text()


@pytest.mark.parametrize(
    ("change", "line", "expected"),
    [
        (
            ("../sweeps/small.toml", "../sweeps/smal.toml"),
            8,
            ("arm 'small'", "no such file", "did you mean", "small.toml?"),
        ),
        (("train_order as", "train_ordr as"), 12, ("claim C1", "'order in training'", "train_ordr")),
        (("as value", "as valu"), 12, ("must have a column value, it has valu",)),
        (("at_least = -1\nat_most = 2", ""), 10, ("asserts nothing",)),
    ],
)
def test_a_mistake_in_the_file_is_one_line_and_nothing_is_trained_or_written(tmp_path, change, line, expected):
    path = claims_file(tmp_path)
    path.write_text(path.read_text().replace(*change))
    text = lrsym("claims", path, "--results", tmp_path / "r", "--run", code=2)
    assert text.startswith(f"error: {path}:{line}: ")
    assert len(text.splitlines()) == 1
    assert [part for part in expected if part not in text] == []
    assert not (tmp_path / "r").exists()


def test_a_mistake_in_a_sweep_is_passed_on_with_both_lines(tmp_path):
    path = claims_file(tmp_path)
    sweep = tmp_path / "sweeps" / "small.toml"
    sweep.write_text(sweep.read_text().replace("[1, 4]", "[1, 60]"))
    text = lrsym("claims", path, "--results", tmp_path / "r", "--run", code=2)
    assert re.search(r"small.toml:8: claim C1: .*small.toml:\d+: .*got 60", text)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ('kind = "curves"\nmetric = "accuracy"', "metric must be one of"),
        ('kind = "phase"\nmetric = "order"', "metric must be an accuracy or another column of numbers, got order"),
        ('kind = "ablation"\nwhere = "nope = 3"', "no condition on the table trials"),
        (
            'kind = "bars"',
            "kind must be one of phase, probabilities, boundary, line, curves, ablation, mechanism, onset, symmetry",
        ),
    ],
)
def test_a_picture_that_no_rows_could_make_is_told_before_training(tmp_path, picture, expected):
    path = claims_file(tmp_path, f"[claim.picture]\n{picture}")
    text = lrsym("claims", path, "--results", tmp_path / "r", "--run", code=2)
    assert expected in text
    assert re.match(rf"error: {re.escape(str(path))}:\d+: ", text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--claim", "C2"], "--claim must be an id in"),
        (["--no-page", "--out", "x.html"], "exclude each other"),
        ([], "there are no results in"),
        (["--run", "--pack", "many"], "--pack must be auto or a number"),
        (["--run", "--engine", "dask"], "--engine must be one of"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_and_nothing_is_written(tmp_path, words, expected):
    path = claims_file(tmp_path)
    assert expected in lrsym("claims", path, "--results", tmp_path / "r", *words, code=2)
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_results_that_cannot_be_written_to_take_no_page(tmp_path):
    path = claims_file(tmp_path)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "claims").write_text("a file where a folder must be")
    assert "cannot be written" in lrsym("claims", path, "--results", tmp_path / "r", code=2)
    assert "undecided" in lrsym("claims", path, "--results", tmp_path / "r", "--no-page")


def test_claims_about_a_search_are_refused_at_their_line(tmp_path):
    path = claims_file(tmp_path)
    write_search(tmp_path / "sweeps", budget=3)
    path.write_text(path.read_text().replace("small.toml", "rates.toml"))
    text = lrsym("claims", path, "--results", tmp_path / "r", code=2)
    assert f"{path}:8: claim C1" in text
    assert "this file is a search" in text
    assert "name a file with [grid]" in text


def test_a_claim_has_no_picture_of_a_search(tmp_path):
    path = claims_file(tmp_path, body='[claim.picture]\nkind = "search"')
    text = lrsym("claims", path, "--results", tmp_path / "r", code=2)
    kinds = "phase, probabilities, boundary, line, curves, ablation, mechanism, onset, symmetry, profile, cost"
    assert f"claim C1: kind must be a picture of a grid, {kinds}, got search" in text


@pytest.mark.slow
def test_ranges_are_registered_before_their_rows_and_a_changed_one_shows(tmp_path):
    path, results = claims_file(tmp_path), tmp_path / "results"
    said = json.loads(lrsym("claims", path, "--results", results, "--register", "--json"))
    assert (said["registered"], said["with_rows"]) == (1, 0)
    ledger = path.with_suffix(".ledger.json")
    before = ledger.read_text()
    again = lrsym("claims", path, "--results", results, "--register")
    assert "0 ranges registered, 1 were there" in again
    assert ledger.read_text() == before
    assert not results.exists()
    text = lrsym("claims", path, "--results", results, "--run", "--workers", 1, "--no-page")
    assert "range set after rows" not in text
    path.write_text(path.read_text().replace("at_most = 2", "at_most = 3"))
    assert "range set after rows" in lrsym("claims", path, "--results", results, "--no-page")
    late = lrsym("claims", path, "--results", results, "--register")
    assert f"1 of them have rows in {results} already and count as set after rows" in late
    part = json.loads(lrsym("claims", path, "--results", results, "--json"))["claims"][0]["arms"][0]["parts"][0]
    assert part["after_rows"] is True
    assert "range set after rows" in (results / "claims" / "small.html").read_text()


def test_registering_and_training_in_one_are_refused(tmp_path):
    path = claims_file(tmp_path)
    said = lrsym("claims", path, "--results", tmp_path / "results", "--register", "--run", code=2)
    assert "--register and --run exclude each other, got both; leave one of them out" in said
    assert not path.with_suffix(".ledger.json").exists()
