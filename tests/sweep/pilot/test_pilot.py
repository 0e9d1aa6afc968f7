"""What a pilot chooses, from measurements made up here; and one that measures, and one that dies."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from itertools import chain

import pytest

from lrsym.results.store.store import load_trials
from lrsym.sweep.driver import Settings
from lrsym.sweep.execution.task import Job
from lrsym.sweep.pilot.choice import PAYS_FROM, PILOT_SECONDS, choose
from lrsym.sweep.pilot.measurement import Ask, Disk, Full, Look
from lrsym.sweep.pilot.pilot import Pilot, Room, best_size
from lrsym.sweep.pilot.programs import BUDGET_SECONDS
from lrsym.sweep.pilot.worker import measure
from lrsym.sweep.planning.cost import Interval
from lrsym.sweep.planning.plan import groups, guess, make_packs, make_plan, makespan
from lrsym.sweep.workers.pool import PilotError
from tests.small_trials import small
from tests.sweep.engines.test_engines import write_sweep

GB = 10**9


def exact(value):
    return Interval(value, value, value)


class MadeUpCrew:
    """Answers at once: a step of a pack costs `cost(size, at_once)` seconds, a look `takes` seconds of the pilot."""

    def __init__(self, cost, *, size=2, takes=0.1, memory=lambda size: GB, capacity=100 * GB, fails=()):
        self.cost, self.size, self.takes, self.memory, self.capacity = cost, size, takes, memory, capacity
        self.fails, self.asked, self.startup, self.seconds = fails, [], 1.0, 1.0

    def ask(self, ask, *, at_once):
        size = len(ask.pack)
        self.asked.append((size, at_once))
        self.seconds += self.takes
        if size in self.fails:
            raise PilotError("MemoryError: no room")
        full = Full(exact(1e-5), exact(1e-4), Disk(1000.0, 100.0, (10.0, 20.0))) if ask.evaluations else None
        step = self.cost(size, at_once) * ask.pack[0].model.d_model / 12
        return Look(size, exact(step), step, full, self.memory(size), self.capacity)


def shared(launch, work, *, cores=2):
    """Seconds of a step: a launch for the pack, work for each trial; at most `cores` processes at full speed."""
    return lambda size, at_once: (launch + work * size) * max(1, at_once / cores)


def find(crew, *, trials=400, device="cpu", packs=None, **room):
    packs = make_packs([small(seed=s) for s in range(trials)], size=8) if packs is None else packs
    started = room.pop("started", ())
    return Pilot(packs, Room(device, room.pop("most_workers", crew.size), **room), crew, started=started).findings()


@pytest.mark.parametrize(("launch", "work", "size"), [(1e-3, 2e-3, 8), (0, 1e-3, 1), (1e-3, 1e-4, 16), (2e-4, 1e-3, 4)])
def test_packs_grow_while_doubling_pays(launch, work, size):
    assert find(MadeUpCrew(shared(launch, work))).pack_size == size


def test_a_size_that_no_larger_one_beats_by_the_gain_is_enough():
    looks = {k: Look(k, exact(s * k), s * k, None, 0, 0) for k, s in {1: 1.0, 2: 0.8, 4: 0.79, 8: 0.78}.items()}
    assert best_size(looks) == 2


def test_one_slow_moment_does_not_end_the_search():
    crew = MadeUpCrew(lambda size, at_once: 1e-2 if size == 4 else 1e-3)
    assert find(crew).pack_size == 16


@pytest.mark.parametrize(
    ("trials", "size", "why"),
    [
        (6, 3, "without one"),
        (20, 10, "without one"),
        (40, 10, "packs of 16 the sweep would end later"),
        (640, 16, "16, 2 w"),
    ],
)
def test_no_worker_waits_for_the_last_pack_however_much_larger_ones_gain(trials, size, why):
    found = find(MadeUpCrew(shared(1e-3, 0)), trials=trials)
    assert found.pack_size == size
    assert why in found.why


def test_a_pack_that_is_nearly_done_does_not_keep_a_worker_for_long():
    one, *others = make_packs([small(seed=s) for s in range(16)], size=8)
    sizes = {
        done: find(MadeUpCrew(shared(1e-3, 1e-3)), packs=[one, *others], started=(done,)).pack_size
        for done in (0.0, 0.95)
    }
    assert sizes == {0.0: 8, 0.95: 4}


def test_a_size_that_failed_is_told_even_where_a_smaller_one_ends_first():
    found = find(MadeUpCrew(shared(1e-3, 1e-3), fails={16}), trials=36)
    assert found.pack_size == 6
    assert "16 failed" in found.why
    assert "packs of 8 the sweep would end later" in found.why


def test_no_pack_is_larger_than_the_trials_that_share_a_shape():
    packs = make_packs([small(seed=s, optim__steps=100 + n) for s in range(2) for n in range(99)], size=8)
    assert find(MadeUpCrew(shared(1e-3, 0)), packs=packs).pack_size == 2


def test_a_size_that_fails_is_told_and_the_one_below_is_taken():
    found = find(MadeUpCrew(shared(1e-3, 0), fails={8}))
    assert found.pack_size == 4
    assert "8 failed: MemoryError" in found.why


def test_a_first_trial_that_fails_is_the_end_of_the_pilot():
    with pytest.raises(PilotError):
        find(MadeUpCrew(shared(1e-3, 0), fails={1}))


def test_without_time_to_look_at_packs_one_trial_is_measured_and_the_rule_decides():
    crew = MadeUpCrew(shared(1e-3, 0), takes=BUDGET_SECONDS)
    found = find(crew)
    assert crew.asked == [(1, 2), (1, 2)]
    assert (found.pack_size, found.workers) == (8, 2)
    assert "by rule: no time" in found.why


@pytest.mark.parametrize(("cores", "workers"), [(1, 2), (2, 2), (8, 8), (4, 8)])
def test_all_cores_train_unless_fewer_are_faster(cores, workers):
    crew = MadeUpCrew(shared(1e-3, 1e-3, cores=cores), size=workers)
    assert find(crew).workers == workers


def test_fewer_workers_train_where_all_of_them_stand_in_each_others_way():
    crew = MadeUpCrew(lambda size, at_once: 1e-3 * (10 if at_once > 4 else 1), size=8)
    found = find(crew)
    assert found.workers == 4
    assert "4.0 times as fast as 1" in found.why
    assert found.rates[small().program].steps[found.pack_size].value == pytest.approx(1e-3)


def test_workers_are_as_many_as_fit_into_memory():
    found = find(MadeUpCrew(shared(1e-3, 0), size=8, memory=lambda size: GB, capacity=1.5 * GB))
    assert found.workers == 6  # of 8 at work, each sees 0.5 GB that nobody has: 8.5 GB, of which 80 % are planned with
    assert "1.0 GB" in found.why


def test_more_cores_than_a_pilot_asks_are_all_taken_if_those_gain():
    assert find(MadeUpCrew(shared(1e-3, 0, cores=99), size=16), most_workers=64, trials=9999).workers == 64


def test_what_is_given_is_kept():
    found = find(MadeUpCrew(shared(1e-3, 0)), workers=7, pack_size=5)
    assert (found.workers, found.pack_size) == (7, 5)


def test_a_size_that_is_given_and_fails_is_kept_and_told():
    found = find(MadeUpCrew(shared(1e-3, 0), fails={5}), workers=2, pack_size=5)
    assert found.pack_size == 5
    assert "5 failed: MemoryError" in found.why


def test_packs_on_a_gpu_grow_until_memory_ends():
    crew = MadeUpCrew(shared(1e-3, 0), size=1, memory=lambda size: size * GB // 10, capacity=80 * GB)
    found = find(crew, trials=9999, packs=make_packs([small(seed=s) for s in range(9999)], size=256), device="cuda")
    assert found.pack_size == 512
    assert "memory" in found.why


def test_packs_on_a_gpu_grow_until_doubling_does_not_pay():
    crew = MadeUpCrew(lambda size, at_once: 1e-3 * max(1, size / 64), size=1, memory=lambda size: size * 10**6)
    packs = make_packs([small(seed=s) for s in range(9999)], size=256)
    assert find(crew, packs=packs, device="cuda").pack_size == 64


def test_a_program_that_is_not_measured_is_compared_by_its_work_and_told_with_less_certainty():
    widths = (12, 24, 48, 96, 192, 384)
    packs = make_packs([small(seed=s, model__d_model=w) for w in widths for s in range(8)], size=4)
    found = find(MadeUpCrew(shared(0, 1e-3)), packs=packs)
    for width in widths:
        step = found.rates[small(model__d_model=width).program].steps[1]
        assert step.value == pytest.approx(1e-3 * width / 12)
    certain = [r.steps[1].low == r.steps[1].high for r in found.rates.values()]
    assert (certain.count(True), certain.count(False)) == (4, 2)


def settings(**changes):
    given = {"engine": "local", "device": "cpu", "workers": None, "pack_size": None, "timeout": None}
    return Settings(**{**given, **changes})


LONG = make_plan([small(seed=s, optim__steps=10**6) for s in range(40)], {}, workers=2, device="cpu")
SHORT = make_plan([small(seed=s) for s in range(40)], {}, workers=2, device="cpu")


@pytest.mark.parametrize(
    ("plan", "changes", "told", "why"),
    [
        (LONG, {"pilot": False}, True, "without a pilot"),
        (LONG, {"workers": 2, "pack_size": 4}, False, "as given"),
        (SHORT, {}, True, "too short for a pilot, very roughly 6 s of training"),
        (SHORT, {}, False, "too short for a pilot, very roughly 6 s of training"),
    ],
)
def test_there_is_no_pilot_where_it_would_decide_nothing(plan, changes, told, why):
    choice = choose(plan, settings(**changes), told=told, announce=lambda text: pytest.fail(text))
    assert why in choice.why
    assert (choice.plan, choice.cost, choice.pilot_seconds) == (plan, None, None)


def test_the_rough_guess_leaves_out_what_is_trained_and_is_not_made_for_a_gpu():
    trials = [small(seed=s, optim__steps=40_000) for s in range(40)]
    kept = [([t.trial_id for t in trials], 0.95)]
    plan = make_plan(trials, {}, workers=1, device="cpu", checkpoints=kept)
    assert plan.guessed_seconds() == pytest.approx(guess(tuple(trials)) * 0.05)
    short, long = plan.guessed_seconds(), replace(plan, started=()).guessed_seconds()
    assert short < 10 * PILOT_SECONDS < long
    cpu, cuda = (choose(plan, settings(device=d), told=False, announce=pytest.fail).why for d in ("cpu", "cuda"))
    assert f"very roughly {short:.0f} s of training" in cpu
    assert "too short for a pilot" in cuda
    assert "roughly" not in cuda


def test_there_is_no_pilot_for_a_cluster(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    choice = choose(LONG, settings(engine="ray"), told=True, announce=lambda text: pytest.fail(text))
    assert "not the cluster" in choice.why


def test_the_cost_is_told_of_sweeps_that_are_too_short_to_gain_by_a_pilot(monkeypatch):
    trials = [small(seed=s, optim__steps=2000) for s in range(40)]
    plan = make_plan(trials, {}, workers=2, device="cpu")
    assert PILOT_SECONDS < makespan(map(guess, plan.packs), workers=2) < PAYS_FROM * PILOT_SECONDS
    ran = []
    monkeypatch.setattr("lrsym.sweep.pilot.choice.run_pilot", lambda *args, **kwargs: ran.append(1) or known())
    assert choose(plan, settings(), told=False, announce=ran.append).cost is None
    assert ran == []
    assert choose(plan, settings(), told=True, announce=lambda text: None).cost is not None


def known():
    return find(MadeUpCrew(shared(1e-3, 1e-3)))


def test_a_pilot_that_fails_leaves_the_plan_and_a_warning(monkeypatch):
    def fail(*args, **kwargs):
        raise PilotError("its process died with code -9")

    monkeypatch.setattr("lrsym.sweep.pilot.choice.run_pilot", fail)
    choice = choose(LONG, settings(), told=True, announce=lambda text: None)
    assert choice.plan == LONG
    assert "died with code -9" in choice.warning


def test_the_hours_of_workers_that_share_a_gpu_are_shared(monkeypatch):
    monkeypatch.setattr("lrsym.sweep.pilot.choice.auto_workers", lambda device: 1)
    monkeypatch.setattr("lrsym.sweep.pilot.choice.run_pilot", lambda *args, **kwargs: known())
    hours = {
        device: choose(LONG, settings(device=device, workers=2), told=True, announce=lambda text: None).cost
        for device in ("cpu", "cuda")
    }
    assert hours["cuda"].worker_seconds.value == hours["cpu"].worker_seconds.value / 2


def test_the_trials_that_are_measured_come_from_the_middle_of_the_grid():
    packs = tuple((small(scenes__n_pair_labels=n, scenes__n_heldout_labels=1),) * 2 for n in (2, 3, 4, 5, 6))
    (group,) = groups(packs, most=5).values()
    assert [trial.scenes.n_pair_labels for trial in group.trials] == [4, 4, 5, 5, 6]
    (group,) = groups(packs, most=99).values()
    assert [trial.scenes.n_pair_labels for trial in group.trials] == [4, 4, 5, 5, 6, 6, 2, 2, 3, 3]


def test_a_repacked_plan_has_the_same_trials():
    repacked = LONG.repacked(size=3, workers=1)
    ids = [sorted(t.trial_id for t in chain.from_iterable(p.packs)) for p in (LONG, repacked)]
    assert ids[0] == ids[1]
    assert repacked.largest_pack == 3


COST = ("seconds", "core_hours", "disk_bytes")


def plan_command(path, *options, environment=None):
    words = [sys.executable, "-m", "lrsym", "plan", str(path), "--results", str(path.parent / "r"), *options]
    given = {**os.environ, **(environment or {})}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=given)
    assert done.returncode == 0, done.stderr
    return done


def test_plan_measures_and_tells_what_a_sweep_will_cost_and_writes_nothing(tmp_path):
    done = plan_command(write_sweep(tmp_path, steps=440_000), "--json", "--workers", "1")
    report = json.loads(done.stdout)
    for name in COST:
        assert 0 < report[f"{name}_low"] <= report[name] <= report[f"{name}_high"]
    assert report["pilot_seconds"] < 3 * PILOT_SECONDS
    assert f"--workers 1 --pack {report['pack']} " in report["command"]
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_a_pilot_whose_process_dies_is_a_warning_and_the_rule_decides(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif any('spawn_main' in word for word in sys.orig_argv): os._exit(7)\n"
    )
    here = os.pathsep.join([str(tmp_path), *sys.path])
    done = plan_command(write_sweep(tmp_path, steps=440_000), "--json", environment={"PYTHONPATH": here})
    report = json.loads(done.stdout)
    assert "warning: the pilot failed: its process died with code 7" in done.stderr
    assert "by rule" in report["why"]
    assert [report[name] for name in COST] == [None] * 3


@pytest.mark.parametrize(
    "changes", [{"model__layer_norm": "pre"}, {"optim__learning_rate": 1e38}, {"scenes__n_heldout_labels": 0}]
)
def test_trials_that_leave_tables_or_curves_empty_are_measured_too(tmp_path, changes):
    """No terms behind a LayerNorm, no curves of what diverges at once, no measures without unseen pairs."""
    trials = tuple(small(seed=seed, optim__steps=500, **changes) for seed in range(2))
    found = measure(Ask(trials, 2), Job(tmp_path, "r", "cpu", 1))
    assert found.disk.trial > 0
    assert len(found.evaluations) == 1


def test_a_plan_without_a_pilot_needs_no_torch(tmp_path):
    path = write_sweep(tmp_path, steps=440_000)
    code = (
        "import sys; from lrsym.cli.app import main; sys.argv = ['lrsym', 'plan', sys.argv[1], '--no-pilot']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'ray' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "(without a pilot)" in done.stdout


MEDIUM = """# Question: is the cost told right?
# Cost: about a minute
# Command: lrsym sweep medium.toml
name = "medium"
replicates = 10
[base]
"scenes.n_pair_labels" = 10
"optim.steps" = 600
"optim.batch_size" = 128
[[zip]]
"model.d_model" = [64, 128]
"model.n_heads" = [2, 4]
"""


@pytest.mark.slow
def test_a_sweep_costs_what_its_plan_told(tmp_path):
    path, results = tmp_path / "medium.toml", tmp_path / "r"
    path.write_text(MEDIUM)
    told = json.loads(plan_command(path, "--json").stdout)
    words = shlex.split(told["command"])[1:]
    done = subprocess.run([sys.executable, "-m", "lrsym", *words, "--json"], capture_output=True, text=True, check=True)
    found = {
        "seconds": json.loads(done.stdout)["seconds"],
        "core_hours": load_trials(results).collect()["seconds"].sum() / 3600,
        "disk_bytes": sum(p.stat().st_size for p in results.rglob("*.parquet") if p.parent.name != "runs"),
    }
    assert {name: told[f"{name}_low"] <= found[name] <= told[f"{name}_high"] for name in COST} == dict.fromkeys(
        COST, True
    ), (told, found)
