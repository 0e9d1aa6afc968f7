"""Tracebacks of packs that crashed: kept once each, named by the message, and never in the way of it."""

import pytest

from lrsym.sweep.execution.task import run_task
from lrsym.sweep.execution.traceback_log import logged_failure, with_place
from tests.small_trials import pack_of, small


def raised(kind, text):
    try:
        raise kind(text)
    except kind as error:
        return error


class CrashingTask:
    """A task whose code has a mistake."""

    device = "cpu"

    def __init__(self, root):
        self.root = str(root)

    def __call__(self, pack, report):
        return {}["loss"]


def test_a_crash_leaves_its_traceback_in_the_results_and_its_name_in_the_message(tmp_path):
    failure = run_task(CrashingTask(tmp_path), pack_of(small()), print).failure
    (log,) = (tmp_path / "logs").iterdir()
    assert failure.message == f"KeyError: 'loss' (traceback: logs/{log.name})"
    assert f'{__file__}", line' in log.read_text()
    assert log.read_text().endswith("KeyError: 'loss'\n")
    assert with_place(failure.message, f"{tmp_path}/") == f"KeyError: 'loss' (traceback: {log})"


def test_equal_crashes_are_one_file_and_others_have_their_own(tmp_path):
    pack = pack_of(small())
    first, second = (run_task(CrashingTask(tmp_path), pack, print).failure for _ in range(2))
    other = logged_failure(raised(ValueError, "a bug"), str(tmp_path))
    assert first == second != other
    assert len([*(tmp_path / "logs").iterdir()]) == 2


@pytest.mark.parametrize("root", ["gone", "a_file/below"])
def test_where_no_log_can_be_written_the_crash_is_told_all_the_same_and_no_folder_is_made(tmp_path, root):
    (tmp_path / "a_file").touch()
    assert logged_failure(raised(ValueError, "a bug"), str(tmp_path / root)).message == "ValueError: a bug"
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


def test_a_lack_of_memory_leaves_no_log(tmp_path):
    assert logged_failure(raised(MemoryError, ""), str(tmp_path)).status == "out_of_memory"
    assert not [*tmp_path.iterdir()]
