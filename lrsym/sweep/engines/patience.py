"""How long a worker is waited for; every engine asks here."""

from lrsym.sweep.execution.events import Failure, PackEvent
from lrsym.sweep.execution.queue import PackQueue

MAX_SILENCE_SECONDS = 120.0
"""A worker that gives no sign of life for so long is killed: it gives one every five seconds, but not while a library
is loaded or the system has no memory for it, which may take a minute."""

ANSWER_SECONDS = 1.0
"""How long after its time a pack may still say itself that it is over, as it does between two steps."""


def overdue(*, busy: float, silent: float, timeout: float | None) -> Failure | None:
    """Return why a worker is to be killed that is `busy` with its pack and `silent` for so many seconds; None else.

    `timeout` is what the pack may take, None is no limit.
    """
    if timeout is not None and busy > timeout + ANSWER_SECONDS:
        return Failure("timeout", f"pack took more than {timeout:g} s and did not answer; its worker was killed")
    if silent > MAX_SILENCE_SECONDS:
        return Failure("crashed", f"worker gave no sign of life for {MAX_SILENCE_SECONDS:g} s and was killed")
    return None


def give_up(queue: PackQueue, pack_id: str, failure: Failure) -> None:
    """Tell the queue that the worker of a pack was killed for `failure`. Raises what the queue raises."""
    if failure.status == "timeout":
        queue.on_event(PackEvent(pack_id, 1.0, failure=failure))
    else:
        queue.on_death(pack_id, failure.message)
