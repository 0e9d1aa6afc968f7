"""Leases: who holds one, when nobody does any more, and what two that want the same do."""

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from lrsym.errors import UsageError
from lrsym.results.store.filesystem import open_filesystem
from lrsym.sweep.execution.lease import (
    LIFETIME_SECONDS,
    Claim,
    Holder,
    Lease,
    live_claims,
    read_claims,
    remove_stale_leases,
    require_alone,
)
from tests.running import wait_for

HERE = Holder.this_process()
ELSEWHERE = replace(HERE, host="other", boot="another machine")


class Clock:
    """A clock that a test turns."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def files(tmp_path):
    return open_filesystem(tmp_path / "r")


def put(files, run_id="other", *, holder=ELSEWHERE, age=0.0, trial_ids=("a",), alone=None):
    """A lease that another process has written."""
    data = {
        "run_id": run_id, "holder": vars(holder), "heartbeat": time.time() - age, "alone": alone,
        "trial_ids": [*trial_ids],
    }  # fmt: skip
    files.put(f"leases/{run_id}.json", json.dumps(data).encode())


def ended_process():
    """The holder that a process of this machine was."""
    words = (
        "from lrsym.sweep.execution.lease import Holder; import json; print(json.dumps(vars(Holder.this_process())))"
    )
    found = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    return Holder(**json.loads(found.stdout))


def test_what_one_names_another_does_not_get_until_it_lets_go(files):
    with Lease(files, "one") as one, Lease(files, "two") as two:
        assert one.claim(["a", "b"]) == {"a", "b"}
        assert two.claim(["b", "c"]) == {"c"}
        assert one.claim(["c", "d"]) == {"d"}
        one.release(["b"])
        assert one.claim(["e"]) == {"e"}  # writes the lease
        assert two.claim(["b"]) == {"b"}


def test_a_lease_is_there_from_the_beginning_and_gone_at_the_end_even_after_ctrl_c(files):
    with contextlib.suppress(KeyboardInterrupt), Lease(files, "one"):
        assert [claim.holder for claim in read_claims(files).values()] == [HERE]
        raise KeyboardInterrupt
    assert read_claims(files) == {}


def test_of_two_that_name_the_same_trial_at_the_same_moment_both_give_way(files, monkeypatch):
    with Lease(files, "one") as one:
        write = one._write

        def write_beside_another():
            put(files, "two", trial_ids=["b"])
            write()

        monkeypatch.setattr(one, "_write", write_beside_another)
        assert one.claim(["a", "b"]) == {"a"}
        assert read_claims(files)["leases/one.json"].trial_ids == {"a"}


def test_an_ended_process_of_this_machine_holds_nothing_and_its_lease_is_removed(files):
    put(files, holder=ended_process())
    with Lease(files, "one") as lease:
        assert lease.claim(["a"]) == {"a"}
        assert lease.met == {}
    assert read_claims(files) == {}


def test_another_process_under_the_number_of_an_ended_one_is_not_taken_for_it(files):
    put(files, holder=replace(HERE, started="1"))
    assert live_claims(files) == {}


def test_a_process_of_another_machine_holds_its_trials_for_the_time_of_its_heartbeat(files):
    other = replace(ended_process(), boot="another machine")
    put(files, holder=other, age=LIFETIME_SECONDS - 5)
    assert [claim.holder for claim in live_claims(files).values()] == [other]
    put(files, holder=other, age=LIFETIME_SECONDS + 5)
    assert live_claims(files) == {}


@pytest.mark.parametrize("age", [-3600, 3600])
def test_of_a_clock_that_does_not_agree_one_look_sees_nobody_and_who_watches_sees_it_change(files, age):
    put(files, age=age, alone="search x")
    assert live_claims(files) == {}
    require_alone(files, "search x")
    clock = Clock()
    lease = Lease(files, "one", clock=clock)
    assert lease.others() == []
    put(files, age=age - 10)
    assert [claim.holder for claim in lease.others()] == [ELSEWHERE]
    assert lease.claim(["a"]) == set()
    clock.now = LIFETIME_SECONDS
    assert lease.claim(["a"]) == set()
    clock.now += 1
    assert lease.claim(["a"]) == {"a"}
    assert [*read_claims(files)] == ["leases/one.json"]


def test_a_lease_that_does_not_change_while_it_is_watched_is_nobodys(files):
    put(files, age=30 - LIFETIME_SECONDS)
    clock = Clock()
    lease = Lease(files, "one", clock=clock)
    assert lease.claim(["a"]) == set()
    clock.now = LIFETIME_SECONDS
    assert lease.claim(["a"]) == set()
    clock.now += 1
    assert lease.claim(["a"]) == {"a"}


def test_what_a_machine_left_whose_clock_was_years_ahead_is_removed_before_the_next_run(files):
    put(files, age=-10 * 365 * 86400.0)
    remove_stale_leases(files)
    assert read_claims(files) == {}


@pytest.mark.parametrize("age", [float("nan"), float("inf"), float("-inf")])
def test_a_heartbeat_that_is_no_time_holds_nothing(files, age):
    put(files, age=age)
    assert read_claims(files) == {}
    with Lease(files, "one") as lease:
        assert lease.claim(["a"]) == {"a"}


def test_a_signal_while_a_lease_ends_leaves_none(files, monkeypatch):
    lease = Lease(files, "one")

    def interrupted():
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt), lease:
        monkeypatch.setattr(lease._thread, "join", interrupted)
    assert read_claims(files) == {}


def test_a_heartbeat_is_written_and_tells_who_else_is_there(files):
    met = []
    with Lease(files, "one", on_meet=met.append, heartbeat=0.01) as lease:
        first = read_claims(files)["leases/one.json"].heartbeat
        put(files)
        assert wait_for(lambda: met) == [ELSEWHERE]
        assert wait_for(lambda: read_claims(files)["leases/one.json"].heartbeat > first)
    assert lease.met == {"other": ELSEWHERE}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b'{"run_id": "x"}', b'{"holder": 3}', b"\xff", b'{"trial_ids": null}']
)
def test_a_file_that_is_no_lease_holds_nothing_and_is_left_alone(files, content):
    files.put("leases/x.json", content)
    with Lease(files, "one") as lease:
        assert lease.claim(["a"]) == {"a"}
    assert files.get("leases/x.json") == content


@pytest.mark.parametrize("text", ["", "[" * 100_000, "{}", '{"holder": 5}', "\0", "NaN"])
def test_a_lease_that_is_none_is_nobodys_and_stays(files, text):
    files.put("leases/other.json", text.encode())
    put(files, holder=replace(HERE, pid=float("inf")), run_id="endless")
    assert read_claims(files) == {}
    with Lease(files, "one") as lease:
        assert lease.claim(["a"]) == {"a"}
    assert files.list("leases") == ["leases/endless.json", "leases/other.json"]


@pytest.mark.parametrize("pid", [0, -1, 10**30])
def test_a_number_that_is_no_process_is_no_error(files, pid):
    put(files, holder=replace(HERE, pid=pid))
    assert len(live_claims(files)) <= 1


def test_a_lease_that_cannot_be_removed_does_not_end_a_sweep(files, monkeypatch):
    put(files, holder=ended_process())
    monkeypatch.setattr(type(files), "delete", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no")))
    with Lease(files, "one") as lease:
        assert lease.claim(["a"]) == {"a"}


def test_what_is_done_by_one_process_at_a_time_is_refused_to_another_with_who_does_it(files):
    with Lease(files, "one", alone="search x"):
        require_alone(files, "search y")
        require_alone(files, None)
        with pytest.raises(UsageError, match=rf"search x is being run in .* by process {os.getpid()} on .*wait"):
            require_alone(files, "search x")
        with pytest.raises(UsageError, match="search x is being run"), Lease(files, "two", alone="search x"):
            pass
    require_alone(files, "search x")
    assert read_claims(files) == {}


def test_a_claim_says_in_its_file_who_holds_what(files):
    with Lease(files, "one") as lease:
        lease.claim(["b", "a"])
        told = json.loads(files.get("leases/one.json"))
    assert {**told["holder"]} == vars(HERE)
    assert (sorted(told["trial_ids"]), told["run_id"]) == (["a", "b"], "one")
    assert abs(told["heartbeat"] - time.time()) < 60
    assert isinstance(Claim(heartbeat=0.0, run_id="", holder=HERE, alone=None, trial_ids=frozenset()).is_stale(), bool)
