"""The cluster: its launcher file, its documentation, and a sweep that loses a node."""

import contextlib
import logging
import re
import shlex
import signal
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer.main
import yaml

from lrsym.cli.app import app
from lrsym.errors import UsageError
from lrsym.results.store.store import Store
from lrsym.sweep.driver import with_cluster_gpus
from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.pack_source import PlannedPacks
from lrsym.sweep.execution.queue import PackQueue
from lrsym.sweep.execution.task import TrainTask
from lrsym.sweep.planning.pack import Pack
from lrsym.sweep.planning.plan import make_plan
from lrsym.sweep.planning.settings import WORKERS_PER_GPU, Settings
from lrsym.sweep.spec.sweep_file import load
from lrsym.sweep.workers.processes import environment
from tests.small_trials import SMALL

ROOT = Path(__file__).parents[3]
AUTH = "RAY_AUTH_MODE=disabled"


@pytest.fixture
def config() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def test_cluster_yaml_is_valid_for_ray(config: dict[str, Any]):
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(config))


def test_ray_refuses_a_misspelt_key_of_cluster_yaml(config: dict[str, Any]):
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(ValidationError, match="setup_comands"):
        validate_config(prepare_config({**config, "setup_comands": []}))


def test_no_pack_can_land_on_the_head(config: dict[str, Any]):
    assert config["available_node_types"][config["head_node_type"]]["resources"] == {"CPU": 0, "GPU": 0}
    start = shlex.split(config["head_start_ray_commands"][-1])
    assert {"--num-cpus=0", "--num-gpus=0"} <= set(start)


def test_a_started_cluster_keeps_its_size(config: dict[str, Any]):
    workers = [kind for name, kind in config["available_node_types"].items() if name != config["head_node_type"]]
    assert [kind["min_workers"] for kind in workers] == [kind["max_workers"] for kind in workers]
    assert config["max_workers"] == sum(kind["max_workers"] for kind in workers)


def test_every_node_says_how_it_authenticates_and_the_head_how_jobs_are_stopped(config: dict[str, Any]):
    head, worker = (shlex.split(config[f"{node}_start_ray_commands"][-1]) for node in ("head", "worker"))
    assert AUTH in head
    assert AUTH in worker
    assert "RAY_JOB_STOP_SIGNAL=SIGINT" in head


def test_every_node_installs_the_pinned_versions(config: dict[str, Any]):
    [install] = [command for command in config["setup_commands"] if "pip install" in command]
    assert "-c ~/lrsym/constraints.txt" in install
    assert config["file_mounts"] == {"/home/ubuntu/lrsym": "."}


def test_commands_that_the_documentation_gives_to_ray_have_their_options():
    text = (ROOT / "docs" / "cluster.md").read_text().replace("\\\n", " ")
    commands = re.findall(r"^ray .*?\blrsym (sweep|status) ([^'\n]*)", text, flags=re.MULTILINE)
    assert [verb for verb, _ in commands] == ["sweep", "status"]
    for verb, words in commands:
        command: Any = typer.main.get_command(app)
        options = {option for parameter in command.commands[verb].params for option in parameter.opts}
        assert {word for word in words.split() if word.startswith("--")} <= options


SWEEP = """\
name = "lost_node"
replicates = 4

[base]
{base}

[grid]
"scenes.layouts_per_pair" = [2, 4]
"""


@pytest.mark.slow
@pytest.mark.ray
def test_a_sweep_that_loses_a_node_has_every_row_exactly_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    from lrsym.sweep.engines.ray_tune.engine import run_ray

    (sweep, plan), store = small_plan(tmp_path, steps=1500), Store(tmp_path / "results")
    store.prove_writable()
    task, finished = TrainTask(store.root, "run", "cpu", threads=1), set[str]()

    with _Cluster() as cluster:

        def listen(pack: Pack, event: PackEvent) -> None:
            if event.statuses:
                finished.add(pack.id)
            if len(finished) == 2 and not cluster.lost:
                cluster.replace_a_busy_node()

        run_ray(PackQueue(PlannedPacks(plan.packs), recorder=task, listeners=[listen]), task, workers=2)
        assert cluster.lost

    on_disk = pl.read_parquet(store.files.uri("trials/*.parquet"))
    assert on_disk["status"].to_list() == ["done"] * 8
    assert set(on_disk["trial_id"]) == {trial.trial_id for trial in sweep.trials}
    assert finished == {pack.id for pack in plan.packs}


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two homes in which ~/results is the same folder, mounted as it were, and the driver's, which has it, too."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    share, found = tmp_path / "share", []
    share.mkdir()
    for name in ("driver", "one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results").symlink_to(share)
        found.append(tmp_path / name)
    monkeypatch.setenv("HOME", str(found[0]))
    return found[1:]


def small_plan(tmp_path: Path, *, steps: int) -> tuple[Any, Any]:
    """A sweep of 8 trials, and its plan in packs of one."""
    base = {k: v for k, v in SMALL.items() if k != "scenes.layouts_per_pair"} | {"optim.steps": steps}
    file = tmp_path / "lost_node.toml"
    file.write_text(SWEEP.format(base="\n".join(f'"{key}" = {value}' for key, value in base.items())))
    sweep = load(file)
    return sweep, make_plan(sweep, {}, workers=2, device="cpu", pack_size=1)


@pytest.mark.slow
@pytest.mark.ray
def test_where_a_share_vanishes_on_one_node_its_packs_are_trained_on_another(tmp_path: Path, homes: list[Path]):
    from lrsym.sweep.engines.ray_tune.engine import run_ray

    sweep, plan = small_plan(tmp_path, steps=1500)
    task, finished, said = TrainTask("~/results", "run", "cpu", threads=1), Counter[str](), list[str]()

    def listen(pack: Pack, event: PackEvent) -> None:
        if event.statuses:
            finished.update([pack.id])
        if len(finished) == 2 and (homes[1] / "results").is_symlink():
            (homes[1] / "results").unlink()

    with _Cluster(homes=homes):
        queue = PackQueue(PlannedPacks(plan.packs), recorder=task, listeners=[listen], say=said.append)
        run_ray(queue, task, workers=2)
    assert queue.finished
    assert len(said) == 1
    assert "does not see the results folder (it is not there): its pack is trained elsewhere" in said[0]
    on_disk = pl.read_parquet(tmp_path / "share/trials/*.parquet")
    assert on_disk["status"].to_list() == ["done"] * 8
    assert set(on_disk["trial_id"]) == {*sweep.trial_ids()}
    assert finished == Counter(pack.id for pack in plan.packs)


@pytest.mark.slow
@pytest.mark.ray
def test_where_no_node_with_room_sees_the_results_the_run_ends_with_their_names(
    tmp_path: Path, homes: list[Path], monkeypatch: pytest.MonkeyPatch
):
    from lrsym.sweep.engines.ray_tune import slots
    from lrsym.sweep.engines.ray_tune.engine import run_ray

    monkeypatch.setattr(slots, "UNSEEN_SECONDS", 3.0)
    for home in homes:
        (home / "results").unlink()
    _, plan = small_plan(tmp_path, steps=10)
    task = TrainTask("~/results", "run", "cpu", threads=1)
    with (
        _Cluster(homes=homes),
        pytest.raises(UsageError, match=r"no node .* sees the results folder \(node .*not there"),
    ):
        run_ray(PackQueue(PlannedPacks(plan.packs), recorder=task), task, workers=2)
    assert not (tmp_path / "share/trials").exists()


@pytest.mark.slow
@pytest.mark.ray
def test_what_hands_out_packs_lies_on_the_drivers_node(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    from lrsym.sweep.engines.ray_tune.board import start_board

    with _Cluster():
        import ray

        def node_of(actor: Any) -> str:
            return ray.get_runtime_context().get_node_id()

        boards = [start_board() for _ in range(6)]  # where Ray is free to choose, it spreads them
        nodes = set(ray.get([board.__ray_call__.remote(node_of) for board in boards]))
        assert nodes == {ray.get_runtime_context().get_node_id()}


@pytest.mark.slow
@pytest.mark.ray
def test_the_gpus_of_a_cluster_are_counted_and_each_of_its_workers_gets_a_part(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    from lrsym.sweep.engines.ray_tune.connection import gpu_share

    with _Cluster(gpus=1, connects=False) as cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        on_sigterm = signal.getsignal(signal.SIGTERM)
        settings = with_cluster_gpus(Settings.resolve(engine="ray", device="cuda"))
        assert signal.getsignal(signal.SIGTERM) == on_sigterm
        assert (settings.gpus, settings.max_workers) == (2, 2 * WORKERS_PER_GPU)
        assert settings.units_per_worker(settings.max_workers) == pytest.approx(1 / WORKERS_PER_GPU)
        cluster.connect()
        assert gpu_share(settings.max_workers) == pytest.approx(1 / WORKERS_PER_GPU)
        assert [gpu_share(workers) for workers in (1, 2, 3, 4)] == [1, 1, 1 / 2, 1 / 2]


@pytest.mark.slow
@pytest.mark.ray
def test_a_cluster_without_a_gpu_is_refused_where_one_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with _Cluster(connects=False) as cluster:
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        with pytest.raises(UsageError, match="needs a GPU in the Ray cluster, it has none; use --device cpu"):
            with_cluster_gpus(Settings.resolve(engine="ray", device="cuda"))


class _Cluster:
    """A head without CPUs and two workers with one each, and so many GPUs, on this machine; each with a home."""

    def __init__(self, *, gpus: int = 0, connects: bool = True, homes: Sequence[Path | None] = (None, None)) -> None:
        import ray
        from ray.cluster_utils import Cluster

        # A dead node refuses its checks at once, and five in a row declare it dead; a slow one has its usual time.
        quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
        self.lost, self._connects = False, connects
        with contextlib.ExitStack() as stack:
            # Ray notes in this folder where the cluster is: in the usual one the note may outlive it, and mislead.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            stack.enter_context(environment({"RAY_TMPDIR": folder}))
            self._cluster = Cluster()
            stack.callback(self._cluster.shutdown)
            stack.callback(ray.shutdown)
            self._cluster.add_node(num_cpus=0, include_dashboard=False, _system_config=quick)
            assert Path(folder, "ray/ray_current_cluster").exists()
            self._nodes = [
                self._cluster.add_node(num_cpus=1, num_gpus=gpus, env_vars={"HOME": str(home)} if home else None)
                for home in homes
            ]
            self._stack = stack.pop_all()
        self.address: str = self._cluster.address

    def replace_a_busy_node(self) -> None:
        """Kill a worker that is training, and start another."""
        self.lost = True
        self._cluster.remove_node(self._nodes[0], allow_graceful=False)
        self._cluster.add_node(num_cpus=1)

    def connect(self) -> None:
        """Connect this process."""
        import ray

        ray.init(self._cluster.address, logging_level=logging.ERROR, log_to_driver=False)

    def __enter__(self) -> "_Cluster":
        if self._connects:
            self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
