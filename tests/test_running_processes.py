"""What the tests themselves do with a process that does not end."""

import subprocess
import sys

import pytest

from tests.running import finish, processes, start, wait_for_the_end_of


@pytest.mark.slow
def test_a_process_that_does_not_end_is_killed_with_those_that_it_started_and_its_pipes_are_closed():
    child = f"subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(600)'])"
    process = start("-c", f"import subprocess; child = {child}; print('there', flush=True); child.wait()")
    assert process.stdout.readline() == "there\n"
    children = [pid for pid, parent, _ in processes() if parent == process.pid]
    with pytest.raises(subprocess.TimeoutExpired):
        finish(process, timeout=0.01)
    assert process.stdout.closed
    assert process.stderr.closed
    assert len(children) == 1
    wait_for_the_end_of(children)
