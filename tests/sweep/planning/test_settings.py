"""What is chosen where it is not given, and what is refused."""

import math

import pytest

from lrsym.errors import UsageError
from lrsym.sweep import driver
from lrsym.sweep.planning import settings as planning_settings
from lrsym.sweep.planning.settings import WORKERS_PER_GPU, Settings, available_cores, cpu_quota, has_driver


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["nvidia2", "null"], True),  # a container that was given the host's third card
        (["nvidia10"], True),
        (["nvidiactl"], True),
        (["kfd"], True),
        (["nvidia-uvm", "null"], False),
        ([], False),
    ],
)
def test_any_card_of_the_host_is_seen(tmp_path, names, found):
    for name in names:
        (tmp_path / name).touch()
    assert has_driver(tmp_path) == found


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(planning_settings, "has_gpu", lambda: True)
    monkeypatch.setattr(planning_settings, "count_gpus", lambda: 2)


def test_several_workers_share_a_gpu_where_their_number_is_not_given(two_gpus):
    settings = Settings.resolve()
    assert (settings.device, settings.gpus) == ("cuda", 2)
    assert settings.max_workers == 2 * WORKERS_PER_GPU > 2
    assert Settings.resolve(workers=1).max_workers == 1


def test_on_a_cpu_a_core_has_a_worker_and_there_is_no_gpu_to_share(two_gpus):
    settings = Settings.resolve(device="cpu")
    assert (settings.gpus, settings.max_workers) == (None, available_cores())


@pytest.mark.parametrize(("workers", "part"), [(None, 1 / WORKERS_PER_GPU), (3, 2 / 3), (2, 1), (1, 1)])
def test_each_worker_takes_its_part_of_the_gpus(two_gpus, workers, part):
    settings = Settings.resolve(workers=workers)
    assert settings.units_per_worker(settings.max_workers) == pytest.approx(part)


class MadeUpRay:
    """The module of the Ray engine, as far as it is asked for GPUs."""

    @staticmethod
    def count_cluster_gpus():
        return 5


def test_on_a_cluster_its_gpus_are_counted_and_not_this_machines(two_gpus, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.setattr(driver, "import_module", lambda name: MadeUpRay)
    settings = driver.with_cluster_gpus(Settings.resolve(device="cuda"))
    assert (settings.gpus, settings.max_workers) == (5, 5 * WORKERS_PER_GPU)


@pytest.mark.parametrize("changes", [{"device": "cpu"}, {"device": "cuda", "engine": "local"}])
def test_no_cluster_is_asked_where_no_worker_runs_on_its_gpus(two_gpus, monkeypatch, changes):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    monkeypatch.setattr(driver, "import_module", pytest.fail)
    settings = Settings.resolve(**changes)
    assert driver.with_cluster_gpus(settings) == settings


@pytest.mark.parametrize("device", ["mps", "xpu", "cuda:1"])
def test_another_accelerator_is_refused_with_what_to_give(device):
    with pytest.raises(UsageError, match=rf"^--device must be one of auto, cpu, cuda, got {device}; .*--device cpu$"):
        Settings.resolve(device=device)


V2, V1 = "0::/job/step\n", "5:cpu,cpuacct:/job\n4:memory:/job\n"


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        (V2, {"job/step/cpu.max": "150000 100000"}, 1.5),
        (V2, {"job/cpu.max": "200000 100000", "job/step/cpu.max": "max 100000"}, 2),
        (V2, {"cpu.max": "50000 100000"}, 0.5),
        (V2, {"job/step/cpu.max": "max 100000"}, math.inf),
        (V2, {"job/step/cpu.max": "nonsense"}, math.inf),
        (V2, {}, math.inf),
        (V1, {"cpu/job/cpu.cfs_quota_us": "300000", "cpu/job/cpu.cfs_period_us": "100000"}, 3),
        (V1, {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, math.inf),
        ("", {"cpu.max": "50000 100000"}, math.inf),
    ],
)
def test_the_quota_of_a_container_is_the_lowest_of_its_groups(tmp_path, groups, files, cores):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cpu_quota(tmp_path) == cores


def test_without_control_groups_there_is_no_quota_and_workers_are_never_none(tmp_path, monkeypatch):
    assert cpu_quota(tmp_path) == math.inf
    monkeypatch.setattr(planning_settings, "cpu_quota", lambda: 0.5)
    assert available_cores() == 1


@pytest.mark.parametrize(("hours", "said"), [(None, ""), (1.5, " out by --max-core-hours 1.5")])
def test_trials_that_are_left_are_left_out_by_a_limit_only_where_there_is_one(hours, said):
    assert Settings("local", "cpu", 1, None, None, threads=1, max_hours=hours).out_by == said
