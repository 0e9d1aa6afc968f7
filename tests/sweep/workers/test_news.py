"""Signs of life: sent beside whatever a worker does, and by nobody who would have to wait for it."""

import contextlib
import multiprocessing as mp
import os
import time

import pytest

from lrsym.sweep.workers.news import News, Sign


@pytest.fixture
def ends():
    here, there = mp.Pipe()
    yield here, there
    here.close()
    there.close()


def test_a_worker_that_is_busy_gives_signs_of_life(ends):
    driver, worker = ends
    News(worker, seconds=0.01)
    assert [driver.recv() for _ in range(3)] == [Sign.ALIVE] * 3


def test_reports_arrive_between_the_signs_in_their_order(ends):
    driver, worker = ends
    news = News(worker, seconds=0.001)
    for number in range(50):
        news.send(number)
    received = []
    while 49 not in received:
        received.append(driver.recv())
    assert [message for message in received if message is not Sign.ALIVE] == [*range(50)]


def test_a_driver_that_reads_nothing_stops_no_worker(ends):
    _, worker = ends
    os.set_blocking(worker.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while True:
            worker.send("full")
    os.set_blocking(worker.fileno(), True)
    news = News(worker, seconds=0.001)
    time.sleep(0.05)
    assert not news._lock.locked()


def test_a_driver_that_is_gone_is_no_error(ends):
    driver, worker = ends
    driver.close()
    news = News(worker, seconds=0.001)
    news.send("report")
    time.sleep(0.01)
