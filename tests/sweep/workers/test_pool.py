"""Worker processes: given work, listened to, replaced when they die, ended together."""

import multiprocessing as mp
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import wait
from types import SimpleNamespace

import pytest

from lrsym.sweep.workers import pool as pool_module
from lrsym.sweep.workers.news import Sign
from lrsym.sweep.workers.pool import MAX_WAKE_SECONDS, WorkerDeath, WorkerPool
from lrsym.sweep.workers.processes import stop_signals_blocked
from tests.running import wait_for


def answer(connection, offset, number):
    """A worker: adds `offset` to each number it gets; leaves with that code at a negative one, sleeps at 0."""
    while True:
        try:
            value = connection.recv()
        except EOFError:
            return
        if value == "later":
            connection.send(Sign.TAKEN)
            continue
        if value < 0:
            os._exit(-value)
        if value == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            connection.send("deaf")
            time.sleep(600)
        connection.send(value + offset)


def hold_on(connection, number):
    """A worker that stands still, told to without its connection."""
    if connection.poll(600) and connection.recv_bytes(2**30):
        connection.close()
    time.sleep(600)


@pytest.fixture
def pool():
    with WorkerPool(answer, 10, size=2, name="test", threads=1) as pool:
        yield pool
    assert mp.active_children() == []


def receive(pool):
    (received,) = pool.receive()
    return received


@pytest.mark.slow
def test_as_many_start_as_there_is_work_for(pool):
    assert pool.workers == []
    pool.assign(1)
    assert len(pool.workers) == 1
    assert pool.has_room
    pool.assign(2)
    assert not pool.has_room
    received = []
    while len(received) < 2:
        received += [message for _, message in pool.receive()]
    assert sorted(received) == [11, 12]


@pytest.mark.slow
def test_an_idle_worker_gets_the_next_work(pool):
    for value in (1, 2, 3):
        pool.assign(value)
        worker, message = receive(pool)
        worker.work = None
        assert message == value + 10
    assert len(pool.workers) == 1


def test_a_death_is_told_with_its_work_and_a_fresh_worker_takes_the_number(pool):
    pool.assign(-7)
    worker, message = receive(pool)
    assert message == WorkerDeath(7)
    assert (worker.work, str(message)) == (-7, "worker left with code 7")
    pool.assign(1)
    assert receive(pool)[1] == 11
    assert [w.number for w in pool.workers] == [worker.number]


@pytest.mark.slow
def test_a_killed_worker_is_told_by_its_signal(pool):
    pool.start()
    os.kill(pool.workers[1].process.pid, signal.SIGKILL)
    worker, message = receive(pool)
    assert (worker.number, str(message)) == (1, "worker killed by SIGKILL")


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(("number", "by_memory"), [(signal.SIGKILL, True), (signal.SIGTERM, False)])
def test_a_worker_that_was_killed_when_memory_was_short_is_told_as_that(pool, monkeypatch, number, by_memory):
    kills = [3]
    monkeypatch.setattr("lrsym.sweep.workers.pool.count_memory_kills", lambda: kills[0])
    pool.start()
    os.kill(pool.workers[0].process.pid, signal.SIGKILL)
    assert not receive(pool)[1].out_of_memory  # it was somebody else
    kills[0] += 1
    os.kill(pool.workers[0].process.pid, number)
    death = receive(pool)[1]
    assert death.out_of_memory == by_memory
    assert ("no memory left" in str(death)) == by_memory


@pytest.mark.slow
def test_nothing_comes_of_waiting_in_vain(pool):
    pool.start()
    assert list(pool.receive(timeout=0.01)) == []


@pytest.mark.slow
def test_time_counts_against_a_worker_from_its_last_message_and_against_its_work_from_when_it_is_taken(
    pool, monkeypatch
):
    now = [100.0]
    monkeypatch.setattr("lrsym.sweep.workers.pool.time", SimpleNamespace(monotonic=lambda: now[0]))
    pool.start()
    one, other = pool.workers
    list(pool.receive(timeout=0))
    for worker in pool.workers:
        pool.send(worker, "later")
    os.kill(one.process.pid, signal.SIGSTOP)
    assert wait([other.connection], 30)
    now[0] += 2
    list(pool.receive(timeout=0))
    assert (one.silent, one.busy, other.silent, other.busy) == (2, 0, 0, 0)
    now[0] += 3
    list(pool.receive([one], timeout=0))
    assert (one.silent, one.busy, other.silent, other.busy) == (5, 0, 3, 3)
    now[0] += 1000  # the driver itself stood still
    list(pool.receive([one], timeout=0))
    assert (one.silent, other.busy) == (5 + MAX_WAKE_SECONDS, 3 + MAX_WAKE_SECONDS)
    pool.send(other, "later")
    assert (other.silent, other.busy) == (0, 0)
    pool.kill(one)
    assert pool.workers == [other]


@pytest.mark.slow
def test_work_larger_than_what_a_connection_holds_does_not_stop_the_driver_where_the_worker_stands_still(pool):
    pool.start()
    worker = pool.workers[0]
    os.kill(worker.process.pid, signal.SIGSTOP)
    pool.send(worker, "x" * 10_000_000)
    pool.kill(worker)
    assert not worker.sending.is_alive()


@pytest.mark.slow
def test_a_worker_that_does_not_heed_the_end_is_killed():
    pool = WorkerPool(answer, 10, size=1, name="test", threads=1, grace=0.2)
    pool.assign(0)
    assert receive(pool)[1] == "deaf"
    pool.end()
    assert mp.active_children() == []


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("how", ["alone", "with the pool", "where it has closed its connection"])
def test_a_process_that_cannot_be_ended_is_left_and_told(monkeypatch, how):
    """Stands for one that waits in the system: to kill it does nothing yet."""
    monkeypatch.setattr(pool_module, "KILLED_SECONDS", 0.1)
    said = []
    pool = WorkerPool(hold_on, size=1, name="test", threads=1, grace=0.1, say=said.append)
    pool.assign("close" if how.startswith("where") else "x" * 1_000_000)
    (worker,) = pool.workers
    end = worker.process.kill
    monkeypatch.setattr(worker.process, "kill", lambda: None)
    monkeypatch.setattr(worker.process, "terminate", lambda: None)
    try:
        if how == "alone":
            pool.kill(worker)
        elif how == "with the pool":
            pool.end()
        else:
            assert str(receive(pool)[1]) == "worker killed by SIGKILL"
        assert pool.workers == mp.active_children() == []
        assert [str(worker.process.pid) in text and "does not end" in text for text in said] == [True]
    finally:
        end()
        worker.process.join()


@pytest.mark.slow
def test_a_pool_is_used_from_a_thread_too():
    """Signal handlers belong to the main thread; to start a worker needs none."""
    answers = []

    def use():
        with WorkerPool(answer, 10, size=1, name="test", threads=1) as pool:
            pool.assign(1)
            answers.append(receive(pool)[1])

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert answers == [11]


def test_ctrl_c_while_a_worker_starts_is_not_lost(pool):
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with stop_signals_blocked():
            os.kill(os.getpid(), signal.SIGINT)  # a thread of a library may take it, at once or when it is next awake
        wait_for(lambda: heard)
        assert heard == [1]
    finally:
        signal.signal(signal.SIGINT, before)


def test_signals_stay_held_back_while_the_very_first_process_is_started():
    """The start of multiprocessing's helper lets them through: Ctrl-C would meet a worker before its handlers."""
    script = (
        "import signal\n"
        "from lrsym.sweep.workers.processes import STOP_SIGNALS, spawn, stop_signals_blocked\n"
        "with stop_signals_blocked():\n"
        "    process, _ = spawn(print, name='first')\n"
        "    assert {*STOP_SIGNALS} <= signal.pthread_sigmask(signal.SIG_BLOCK, ())\n"
        "process.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
