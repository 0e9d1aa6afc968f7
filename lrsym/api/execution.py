"""How a sweep is executed, as options: listed once, for the functions and the verbs that train."""

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from lrsym.sweep.planning.settings import Settings

Count = int | str | None
"""A number, or None or "auto" to have it chosen."""


class Planning(TypedDict, total=False):
    """What decides about packs, workers and their cost: the options of `lrsym plan`."""

    workers: Count
    pack: Count
    device: str
    engine: str
    no_pilot: bool
    max_core_hours: float | None
    max_gpu_hours: float | None


class Execution(Planning, total=False):
    """The same where packs are trained: the options of `lrsym sweep`."""

    timeout: float | None
    save_weights: bool


def make_settings(
    *,
    workers: Count = None,
    pack: Count = None,
    device: str = "auto",
    engine: str = "auto",
    timeout: float | None = None,
    no_pilot: bool = False,
    save_weights: bool = False,
    max_core_hours: float | None = None,
    max_gpu_hours: float | None = None,
) -> "Settings":
    """Return how to execute; numbers obey NUMBERS. Raise UsageError for a value that is not allowed."""
    from lrsym.sweep.driver import with_cluster_gpus
    from lrsym.sweep.planning.settings import Settings

    settings = Settings.resolve(
        engine=engine,
        device=device,
        workers=_number(workers),
        pack_size=_number(pack),
        timeout=timeout,
        save_weights=save_weights,
        pilot=not no_pilot,
        max_core_hours=max_core_hours,
        max_gpu_hours=max_gpu_hours,
    )
    return with_cluster_gpus(settings)


def _number(count: Count) -> int | None:
    return None if isinstance(count, str) or count is None else int(count)
