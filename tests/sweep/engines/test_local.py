"""What the local engine does with a source that has less than it said."""

import threading
from types import SimpleNamespace

from lrsym.sweep.engines.local import run_local
from lrsym.sweep.execution.queue import PackQueue


class Emptied:
    """A source that finds out that it has no pack when it is asked for one, as a search may."""

    exhausted = False

    def next(self):
        self.exhausted = True


def test_a_source_that_turns_out_to_be_empty_ends_the_run():
    queue = PackQueue(Emptied(), recorder=SimpleNamespace())
    run = threading.Thread(
        target=run_local, args=(queue, SimpleNamespace(threads=1)), kwargs={"workers": 2}, daemon=True
    )
    run.start()
    run.join(timeout=10)
    assert not run.is_alive()
