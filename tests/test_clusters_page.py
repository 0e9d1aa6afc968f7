"""The files of docs/clusters: each by its parser, the Slurm array by running it, and the promises by their tests."""

import os
import re
import shlex
import signal
import stat
import subprocess
import time
import tomllib
from typing import Any

import pytest
import typer.main
import yaml

from lrsym.cli.app import app
from tests import pages
from tests.pages import ROOT
from tests.running import HANG_SECONDS, wait_for

FOLDER = ROOT / "docs/clusters"
SCRIPTS = sorted(FOLDER.glob("*.sbatch"))


def named(path):
    return path.name


def load(name) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text())


def directives(script):
    """The options that a script gives to sbatch."""
    lines = re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", script.read_text(), flags=re.MULTILINE)
    assert len(lines) == len(re.findall("^#SBATCH", script.read_text(), flags=re.MULTILINE))
    return dict(lines)


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_scripts_are_bash(script):
    subprocess.run(["bash", "-n", script], check=True)
    assert script.read_text().startswith("#!/bin/bash\n")


def commands():
    """Every `lrsym` command of the files, in one line each."""
    texts = {path.name: path.read_text().replace("\\\n", " ") for path in FOLDER.iterdir() if path.suffix != ".md"}
    texts["rayjob.yaml"] = "\n" + load("rayjob.yaml")["spec"]["entrypoint"]
    return [
        (name, line.strip().removesuffix(" &"))
        for name, text in texts.items()
        for line in re.findall(r"(?<![\w./#-])(?:\.venv/bin/)?lrsym sweep ([^\n]*)", text)
    ]


def test_every_kind_of_cluster_runs_lrsym_sweep():
    assert sorted(name for name, _ in commands()) == ["rayjob.yaml", "sky.yaml", "slurm-ray.sbatch", "slurm.sbatch"]


@pytest.mark.parametrize(("name", "words"), commands(), ids=[name for name, _ in commands()])
def test_commands_have_their_options_and_say_engine_device_and_results(name, words):
    command: Any = typer.main.get_command(app)
    known = {option for parameter in command.commands["sweep"].params for option in parameter.opts}
    text = words.replace('"${options[@]}"', " ".join(options_of_the_array()))
    given = {word for word in shlex.split(text) if word.startswith("--")}
    assert given <= known
    assert {"--engine", "--device", "--results"} <= given


def options_of_the_array():
    return shlex.split(re.search(r"^options=\((.*)\)$", (FOLDER / "slurm.sbatch").read_text(), re.MULTILINE)[1])


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_a_slurm_job_is_told_before_its_time_is_up_and_may_be_put_back(script):
    found = directives(script)
    assert found["signal"] == "B:TERM@120"
    assert found["open-mode"] == "append"
    assert "requeue" in found


def test_the_array_has_as_many_tasks_as_shards_counted_from_1():
    text = (FOLDER / "slurm.sbatch").read_text()
    assert directives(FOLDER / "slurm.sbatch")["array"] == "1-" + re.search(r"^SHARDS=(\d+)$", text, re.MULTILINE)[1]


FAKE_LRSYM = """#!/bin/bash
trap 'echo TERM > "$NOTES/told"; sleep 0.3; exit ${ENDS:-143}' TERM
echo "$@" > "$NOTES/words"
for i in $(seq 100); do sleep 0.1; [ -f "$NOTES/end" ] && exit 1; done
"""
FAKE_SCONTROL = """#!/bin/bash
echo "$@" >> "$NOTES/scontrol"
"""


class Task:
    """A task of the array, with a made-up lrsym and scontrol, that ends in `left` seconds by its time limit."""

    def __init__(self, folder, *, left, restarts=0, ends=143):
        self.notes = folder
        tools = folder / ".venv/bin"
        tools.mkdir(parents=True)
        (tools / "activate").write_text(f'PATH="{tools}:$PATH"\n')
        end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + left))
        squeue = f'#!/bin/bash\necho "$@" > "$NOTES/squeue"; echo {end}\n'
        for name, text in (("lrsym", FAKE_LRSYM), ("scontrol", FAKE_SCONTROL), ("squeue", squeue)):
            (tools / name).write_text(text)
            (tools / name).chmod(stat.S_IRWXU)
        environment = {
            **os.environ, "NOTES": str(folder), "SLURM_CPUS_PER_TASK": "4", "SLURM_ARRAY_TASK_ID": "3",
            "SLURM_ARRAY_JOB_ID": "77", "SLURM_JOB_ID": "80",
            "SLURM_RESTART_COUNT": str(restarts), "ENDS": str(ends),
        }  # fmt: skip
        words = ["bash", str(FOLDER / "slurm.sbatch"), "sweeps/a b.toml", "/shared/r"]
        self.process = subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: (folder / "words").exists())

    def end(self):
        self.process.communicate(timeout=HANG_SECONDS)
        return self.process.returncode

    def note(self, name):
        path = self.notes / name
        return path.read_text().strip() if path.exists() else None


def test_a_task_trains_its_shard_and_ends_as_the_sweep_does(tmp_path):
    task = Task(tmp_path, left=9999)
    assert task.note("words") == (
        "sweep sweeps/a b.toml --results /shared/r --shard 3/8 --engine local --device cpu --workers 4"
    )
    (tmp_path / "end").touch()
    assert task.end() == 1
    assert task.note("scontrol") is None


def test_a_task_that_runs_out_of_time_stops_its_sweep_and_is_put_back(tmp_path):
    task = Task(tmp_path, left=120)
    task.process.send_signal(signal.SIGTERM)
    assert task.end() == 143
    assert (task.note("told"), task.note("scontrol")) == ("TERM", "requeue 77_3")


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    "how", [{"left": 3000}, {"left": 120, "restarts": 50}, {"left": 120, "ends": 0}, {"left": 120, "ends": 2}]
)
def test_a_task_that_was_cancelled_or_restarted_too_often_or_ended_otherwise_is_not_put_back(tmp_path, how):
    task = Task(tmp_path, **how)
    task.process.send_signal(signal.SIGTERM)
    assert task.end() == how.get("ends", 143)
    assert task.note("told") == "TERM"
    assert task.note("scontrol") is None


def test_ray_takes_what_the_slurm_job_gives_to_its_servers():
    from ray.scripts.scripts import start
    from ray.scripts.symmetric_run import curate_and_validate_ray_start_args

    text = (FOLDER / "slurm-ray.sbatch").read_text().replace("\\\n", " ")
    words = shlex.split(re.search(r"ray symmetric-run (.*?) -- ", text)[1])
    rest = curate_and_validate_ray_start_args(words)
    known = {option for parameter in start.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known
    assert "env RAY_ADDRESS=" in text  # else the sweep would start a Ray of its own, on the head alone
    assert "RAY_AUTH_MODE=disabled" in text


def test_the_kubernetes_job_has_one_image_a_head_without_packs_and_a_group_of_one_size():
    job = load("rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert head["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"]
    containers = [group["template"]["spec"]["containers"][0] for group in (head, workers)]
    assert len({container["image"] for container in containers}) == 1
    for container in containers:
        assert {"name": "RAY_AUTH_MODE", "value": "disabled"} in container["env"]
        assert container["envFrom"] == [{"secretRef": {"name": "lrsym-store"}}]
        assert container["resources"]["requests"] == container["resources"]["limits"]
    assert "nvidia.com/gpu" in containers[1]["resources"]["limits"]
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1]
    assert cluster["rayVersion"] == pinned
    assert job["spec"]["shutdownAfterJobFinishes"] is True


def test_the_sweep_of_the_kubernetes_job_is_in_the_image():
    text = (FOLDER / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (.+?) \S+$", text, flags=re.MULTILINE)
    assert all((ROOT / name).exists() for names in copied for name in names.split())
    assert "WORKDIR /opt/lrsym" in text
    sweep = shlex.split(load("rayjob.yaml")["spec"]["entrypoint"])[2]
    assert (ROOT / sweep.removeprefix("/opt/lrsym/")).exists()


def test_the_image_has_a_python_that_will_do_and_the_pinned_versions():
    text = (FOLDER / "Dockerfile").read_text()
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    found = re.search(r"^FROM python:([\d.]+)", text, re.MULTILINE)[1]
    assert [*map(int, found.split("."))] >= [*map(int, least.split("."))]
    assert '-c constraints.txt ".[cluster]"' in text
    assert re.search(r"^USER (?!root)", text, re.MULTILINE)


def test_every_node_of_the_cloud_job_trains_a_shard_into_an_object_store():
    task = load("sky.yaml")
    assert task["resources"]["use_spot"] is True
    assert task["envs"]["RESULTS"].startswith("s3://")
    assert (ROOT / task["envs"]["SWEEP"]).exists()
    assert "-c constraints.txt" in task["setup"]
    script = task["run"].replace(".venv/bin/lrsym", "echo")
    environment = {**os.environ, **task["envs"], "SKYPILOT_NODE_RANK": "1", "SKYPILOT_NUM_NODES": "2"}
    told = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout
    assert told.split()[-2:] == ["--shard", "2/2"]


def test_behind_each_promise_stands_a_test():
    rows = pages.table("docs/clusters/README.md", "| promise | how it is kept | test |")
    assert len(rows) > 8
    for *_, cell in rows:
        tests = re.findall(r"`(tests/[\w/.]+)::(\w+)`", cell)
        assert tests, cell
        for file, test in tests:
            assert re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{test}"
