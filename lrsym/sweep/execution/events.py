"""What a worker reports of its pack, and how a pack can fail."""

from collections import Counter
from dataclasses import dataclass

from lrsym.errors import printable


@dataclass(frozen=True)
class Failure:
    """Why a pack gave no result: a status of the vocabulary that is retried, and a message on one line.

    With `ends_worker` its process leaves, and the pack is tried again in another: on a GPU an error may outlive the
    pack that met it.
    """

    status: str
    message: str
    ends_worker: bool = False


@dataclass(frozen=True)
class PackEvent:
    """A report on the pack with the id `pack`: the fraction of its training that is done, and what it ended with.

    At most one of the others is given, and then the pack is over. `statuses` counts how its trials ended, by status;
    `failure` says that it gave no result; `store_error` says why rows cannot be written, which ends the run.
    """

    pack: str
    completed: float
    statuses: Counter[str] | None = None
    failure: Failure | None = None
    store_error: str | None = None

    @property
    def ends_pack(self) -> bool:
        """Whether the worker is done with the pack."""
        return self.statuses is not None or self.failure is not None or self.store_error is not None

    @property
    def ends_worker(self) -> bool:
        """Whether the worker leaves after this."""
        return self.failure is not None and self.failure.ends_worker


def failure_of(error: Exception) -> Failure:
    """Return the failure of a pack whose task raised `error`."""
    return Failure("out_of_memory" if _is_out_of_memory(error) else "crashed", describe(error))


def describe(error: BaseException) -> str:
    """Return type and text of an exception on one line of at most 500 characters."""
    return f"{type(error).__name__}: {text_of(error)}"[:500]


def text_of(error: BaseException) -> str:
    """Return the text of an exception on one line that any file and terminal can show."""
    try:
        text = " ".join(str(error).split())
    except Exception as broken:
        text = f"its message cannot be shown ({type(broken).__name__})"
    return printable(text)


def _is_out_of_memory(error: Exception) -> bool:
    phrases = ("can't allocate memory", "Cannot allocate memory", "out of memory", "ALLOC_FAILED")
    text = f"{text_of(error)} {error.__context__}"  # the end of a recording on a GPU hides what went wrong in it
    return isinstance(error, MemoryError) or any(phrase in text for phrase in phrases)
