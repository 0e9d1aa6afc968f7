"""What the functions of the interface take: a sweep in several forms, a folder, options of execution, one error."""

import functools
import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from lrsym.errors import UsageError, first_line
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep

if TYPE_CHECKING:
    from lrsym.sweep.planning.settings import Settings

Asked = ParamSpec("Asked")
Given = TypeVar("Given")

AnySweep = Sweep | Search | str | Path
"""A sweep or a search, or the path of its file."""

Count = int | str | None
"""A number, or None or "auto" to have it chosen."""

MAX_COUNT = 999_999
"""Of workers and of trials in a pack: far beyond any use."""


def with_one_error(function: Callable[Asked, Given]) -> Callable[Asked, Given]:
    """Return `function` so that what a user can put right is a UsageError of one line, in the words of Python."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Asked.args, **kwargs: Asked.kwargs) -> Given:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            several = "Sequence" in str(signature.parameters[name].annotation)
            _check(name, value, several=several)
        try:
            return function(*args, **kwargs)
        except UsageError as error:
            raise type(error)(in_python(str(error))) from None
        except OSError as error:
            from lrsym.results.store.object_access import sentence

            raise UsageError(in_python(sentence(error))) from None
        except BaseException as error:  # a PanicException of polars is no Exception
            name = type(error).__name__
            if "polars" not in type(error).__module__ and name != "PanicException":
                raise
            if name == "ColumnNotFoundError":
                raise UsageError(f"the rows lack a column: {first_line(error)}") from None
            from lrsym.results.store.part_file import damage_sentence, table_sentence

            said = table_sentence(error) if name in ("ComputeError", "SchemaError") else damage_sentence(error)
            if said is None:
                raise
            raise UsageError(said) from None

    return call


_TEXTS = (
    "metric",
    "where",
    "study",
    "to",
    "sql",
    "x",
    "y",
    "by",
    "facet",
    "color",
    "band",
    "split",
    "device",
    "engine",
    "shard",
    "retry",
)
_NUMBERS = ("level", "threshold", "interval", "tolerance")


def _check(name: str, value: object, *, several: bool) -> None:
    """Raise UsageError where an argument of that name, whatever the function, is of a kind that it cannot be.

    `several` tells whether the function takes a list of it as well.
    """
    if value is None:
        return
    number, wanted = isinstance(value, int | float) and not isinstance(value, bool), None
    if name in _TEXTS and several and not _are_texts(value):
        wanted = "a text, or a list of them"
    elif name in _TEXTS and not several and not isinstance(value, str):
        wanted = "a text"
    elif name in _NUMBERS and not number:
        wanted = "a number"
    elif name in ("budget", "limit", "sample") and not (number and isinstance(value, int)):
        wanted = "a whole number"
    elif name in ("file", "path", "claims") and not isinstance(value, str | os.PathLike):
        wanted = "the name of a file"
    elif name == "trial_ids" and (isinstance(value, str) or not isinstance(value, Iterable)):
        wanted = "a list of ids"
    if wanted:
        raise UsageError(f"{name} must be {wanted}, got {value!r}")


def _are_texts(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(one, str) for one in value))


def in_python(message: str) -> str:
    """Return `message` with options of the command line named as arguments; commands in it stay as they are."""
    before, command, behind = re.split(r"(\blrsym [a-z]|$)", message, maxsplit=1)
    named = re.sub(r"(?<![\w-])--([a-z][a-z-]*)", lambda found: found[1].replace("-", "_"), before)
    return named + command + behind


def as_sweep(sweep: AnySweep) -> Sweep | Search:
    """Return the sweep or the search that is given, or that lies in the file of that name."""
    if isinstance(sweep, Sweep | Search):
        return sweep
    if isinstance(sweep, str | Path):
        from lrsym.sweep.spec.sweep_file import load_any

        return load_any(sweep)
    made = "make one with lrsym.Sweep.grid or lrsym.Sweep.of, or load one with lrsym.load_sweep"
    raise UsageError(f"sweep must be a Sweep, got {type(sweep).__name__}; {made}")


def as_grid(sweep: AnySweep, results: str) -> Sweep:
    """Return a sweep as it is; of a search, the cells that it has chosen in the folder `results`."""
    found = as_sweep(sweep)
    if isinstance(found, Sweep):
        return found
    from lrsym.results.store.store import Store
    from lrsym.sweep.search.run import searched_sweep

    return searched_sweep(found, Store(results))


def as_folder(results: str | Path) -> str:
    """Return the name of the results folder, or the URL of results in an object store."""
    if not isinstance(results, str | os.PathLike) or not str(results):
        named = "an empty text" if isinstance(results, str) else type(results).__name__
        raise UsageError(f'results must be the name of a folder, such as "results", got {named}')
    return str(results)


def as_file(path: str | Path) -> Path:
    """Return the path of a file to write. Raise UsageError for no name, and for a folder."""
    if not isinstance(path, str | os.PathLike) or not str(path).strip():
        named = "an empty text" if isinstance(path, str) else type(path).__name__
        raise UsageError(f'path must be the name of a file, such as "picture.html", got {named}')
    if str(path).endswith("/") or Path(path).is_dir():
        raise UsageError(f"path must be the name of a file, {path} is a folder; write for example {path}/picture.html")
    return Path(path)


def check_sides(**sides: object) -> None:
    """Raise UsageError unless each side of a contrast maps axes to values."""
    for name, side in sides.items():
        if not isinstance(side, Mapping):
            raise UsageError(
                f'{name} must map axes to values, got {side!r}; write for example {{"layouts_per_pair": 20}}'
            )


def as_trained_folder(results: str | Path) -> str:
    """Return the name of the results folder. Raise UsageError where nothing has been trained in it."""
    from lrsym.results.store.schema import TABLES
    from lrsym.results.store.store import Store

    root = as_folder(results)
    store = Store(root)
    if not store.files.exists():
        raise UsageError(f"{root}: there is no such folder of results; train a sweep first, or check the path")
    if not any(store.files.list(table, suffix=".parquet") for table in TABLES):
        raise UsageError(f"{root}: this folder holds no results; train a sweep first, or name the folder that has them")
    return root


def make_settings(
    *,
    workers: Count,
    pack: Count,
    device: str,
    engine: str,
    timeout: float | None = None,
    no_pilot: bool = False,
    save_weights: bool = False,
    max_core_hours: float | None,
    max_gpu_hours: float | None,
) -> "Settings":
    """Return how to execute. Raise UsageError for a value that is not allowed."""
    from lrsym.sweep.driver import with_cluster_gpus
    from lrsym.sweep.planning.settings import Settings

    settings = Settings.resolve(
        engine=engine,
        device=device,
        workers=_count("workers", workers, of="packs trained at a time"),
        pack_size=_count("pack", pack, of="trials"),
        timeout=_number("timeout", timeout, of="seconds"),
        save_weights=save_weights,
        pilot=not no_pilot,
        max_core_hours=_number("max_core_hours", max_core_hours, of="hours"),
        max_gpu_hours=_number("max_gpu_hours", max_gpu_hours, of="hours"),
    )
    return with_cluster_gpus(settings)


def _count(name: str, value: Count, *, of: str) -> int | None:
    if value is None or value == "auto":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_COUNT:
        raise UsageError(f'{name} must be a number of {of} from 1 to {MAX_COUNT:,}, or "auto", got {value!r}')
    return value


def _number(name: str, value: float | None, *, of: str) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UsageError(f"{name} must be a number of {of}, got {value!r}; leave it out for no limit")
    return value
