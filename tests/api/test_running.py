"""Training from Python: as the command line does it, from scripts as people write them, with errors of one line."""

import os
import signal
import subprocess
import sys

import polars as pl
import pytest

import lrsym
from tests.pages import ROOT
from tests.running import HANG_SECONDS, finish, start, wait_for, wait_for_the_end_of, workers_of
from tests.running import lrsym as command
from tests.small_trials import SMALL

SCRIPT = """
import lrsym
sweep = lrsym.Sweep.grid("mine", base={base}, grid={{"optim.weight_decay": [0.01, 0.02]}}, replicates=2)
rows = lrsym.run_sweep(sweep, results="r", workers=2)
chart = lrsym.plot_phase(rows, metric="unseen_order") | lrsym.plot_phase(rows, metric="seen_order")
lrsym.save(chart, "x.html")
print(rows.collect()["status"].to_list())
"""
"""That of the page, of small trials, without `if __name__ == "__main__":`."""


def sweep_of(**options):
    return lrsym.Sweep.grid("mine", **{"base": SMALL, "grid": {"optim.weight_decay": [0.01, 0.02]}, **options})


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder in which a script was run that has no main guard, and what the script said."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "script.py").write_text(SCRIPT.format(base=SMALL))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    return folder, done


@pytest.mark.slow
def test_a_script_without_a_main_guard_trains_draws_and_says_nothing_but_what_it_prints(ran):
    folder, done = ran
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "['done', 'done', 'done', 'done']\n"
    assert {path.name for path in folder.iterdir()} == {"script.py", "r", "x.html"}


@pytest.mark.slow
def test_what_was_trained_is_not_trained_again(ran):
    folder, _ = ran
    rows = lrsym.run_sweep(sweep_of(replicates=2), folder / "r", workers=2).collect()
    before = sweep_of(replicates=2).trials_frame(folder / "r").collect()
    assert rows.height == 4
    assert rows.equals(before)
    assert lrsym.load(folder / "r", "runs").collect().height == 1


@pytest.mark.slow
def test_the_plan_counts_what_is_new_and_what_is_done(ran):
    folder, _ = ran
    choice = lrsym.plan(sweep_of(replicates=3), folder / "r", workers=2)
    plan = choice.plan
    assert repr(choice).startswith("Choice(sweep='mine', trials=6, new=2, done=4, failed=0, pack_size=")
    assert (plan.trials, plan.done, plan.new) == (6, 4, 2)


@pytest.mark.slow
def test_a_sweep_from_python_is_the_one_of_a_file_for_the_command_line(ran, tmp_path):
    folder, _ = ran
    path = tmp_path / "mine.toml"
    axes = "\n".join(f'"{key}" = {value}' for key, value in SMALL.items())
    path.write_text(f'name = "mine"\nreplicates = 2\n[base]\n{axes}\n[grid]\n"optim.weight_decay" = [0.01, 0.02]\n')
    assert lrsym.load_sweep(path).trial_ids() == sweep_of(replicates=2).trial_ids()
    assert "all 4 trials" in command("sweep", path, "--results", folder / "r")


@pytest.mark.slow
def test_a_search_trains_until_its_budget_is_spent(tmp_path):
    search = lrsym.Sweep.search(
        "seek", base=SMALL, space={"optim.weight_decay": [0.01, 0.02, 0.03]}, budget=2, maximise="train_order"
    )
    rows = lrsym.run_sweep(search, tmp_path, workers=1, pack=2).collect()
    assert rows["status"].to_list() == ["done", "done"]
    assert len(lrsym.best(search, tmp_path).cells) == 2
    assert search.trials_frame(tmp_path).collect().equals(rows)
    assert "vconcat" in lrsym.plot_search(search, results=tmp_path).to_dict()


@pytest.mark.slow
def test_trials_that_fail_are_told_with_what_shows_why(tmp_path):
    with pytest.warns(
        UserWarning,
        match=r"2 trials of mine failed \(2 timeout\); see why: lrsym\.status.*; give them longer than timeout=1e-09",
    ):
        rows = lrsym.run_sweep(sweep_of(), tmp_path, workers=1, timeout=1e-9)
    assert rows.collect()["status"].to_list() == ["timeout", "timeout"]


@pytest.mark.slow
def test_ctrl_c_is_a_keyboard_interrupt_after_which_no_worker_is_left(tmp_path):
    long = {**SMALL, "optim.steps": 10**6}
    (tmp_path / "script.py").write_text(SCRIPT.format(base=long))
    driver = start("script.py", cwd=tmp_path)
    workers = wait_for(lambda: len(found := workers_of(driver.pid)) == 2 and found)
    wait_for(lambda: (tmp_path / "r/runs").exists())
    os.kill(driver.pid, signal.SIGINT)
    code, out, err = finish(driver)
    assert (code, out) == (-signal.SIGINT, "")
    assert "KeyboardInterrupt" in err.splitlines(), err
    wait_for_the_end_of(workers)


@pytest.mark.slow
def test_a_process_that_imports_the_script_again_is_told_what_to_add(tmp_path):
    (tmp_path / "script.py").write_text(
        "import multiprocessing, lrsym\n"
        "if __name__ == '__main__':\n"
        "    process = multiprocessing.get_context('spawn').Process(target=print)\n"
        "    process.start(), process.join()\n"
        "else:\n"
        "    lrsym.run_sweep('sweeps/demo.toml', results='r')\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert done.stderr.splitlines()[-1].endswith('put what the script runs below a line `if __name__ == "__main__":`')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"workers": "two"},
            "workers must be auto or a number of packs trained at a time from 1 to 999,999, got 'two'",
        ),
        ({"workers": 0}, "workers must be"),
        ({"pack": True}, "pack must be auto or a number of trials"),
        ({"timeout": "1"}, "timeout must be a number of seconds above 0 .*, got .1."),
        ({"timeout": -1}, "timeout must be a number of seconds above 0 .*, got -1"),
        ({"engine": "rays"}, "engine must be one of auto, local, ray, got rays"),
        ({"device": "mps"}, "^device must be one of auto, cpu, cuda, got mps.*use device cpu$"),
        ({"max_core_hours": 0}, "^max_core_hours must be a number of hours above 0"),
        ({"budget": 3}, "budget is for searches, mine is a grid"),
        ({"results": 5}, "results must be the name of a folder.*got int"),
        ({"results": ""}, "results must be the name of a folder.*got an empty text"),
        ({"results": "s3://x"}, "s3"),
        ({"results": ROOT / "README.md"}, "README.md"),
    ],
)
def test_a_wrong_option_is_one_line_before_anything_is_trained(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(lrsym.UsageError, match=message) as found:
        lrsym.run_sweep(sweep_of(), **options)
    assert "\n" not in str(found.value)
    assert "--" not in str(found.value)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("wrong", [None, 5, [], {"optim.steps": 5}])
def test_what_is_no_sweep_is_told_how_to_make_one(wrong):
    with pytest.raises(lrsym.UsageError, match=r"sweep must be a Sweep, got .*lrsym\.Sweep\.grid"):
        lrsym.run_sweep(wrong)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(lrsym.UsageError, match=r"nowhere\.toml: there is no such file"):
        lrsym.run_sweep("nowhere.toml")


@pytest.mark.slow
def test_refining_trains_no_more_than_its_budget(tmp_path):
    sweep = lrsym.Sweep.grid("edge", base=SMALL, grid={"optim.weight_decay": [0.001 * 2**n for n in range(6)]})
    boundary = lrsym.refine(sweep, tmp_path, budget=4, metric="train_order", level=0.6, workers=1, pack=2)
    assert boundary is not None
    assert sweep.trials_frame(tmp_path).collect().height == 4
    assert isinstance(sweep.trials_frame(tmp_path), pl.LazyFrame)


def test_shards_are_planned_apart_and_together_are_all_of_a_sweep(tmp_path):
    sweep = sweep_of(replicates=5)
    planned = [lrsym.plan(sweep, tmp_path, workers=1, no_pilot=True, shard=f"{i}/3").plan.new for i in (1, 2, 3)]
    assert (sum(planned), max(planned) - min(planned) <= 2) == (10, True)
    assert [lrsym.status(sweep, tmp_path, shard=f"{i}/3").trials for i in (1, 2, 3)] == planned


@pytest.mark.slow
def test_what_was_trained_is_given_again(ran):
    folder, _ = ran
    rows = lrsym.verify(sweep_of(replicates=2), folder / "r", workers=1)
    assert rows["agreement"].to_list() == ["identical"] * 4
