"""What the functions of the interface take: a sweep in several forms, a folder, a file, numbers, and one error."""

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_args, get_type_hints

from lrsym.api.numbers import NUMBERS
from lrsym.api.wording import in_python
from lrsym.errors import UsageError, first_line
from lrsym.sweep.spec.search import Search
from lrsym.sweep.spec.sweep import Sweep

Asked = ParamSpec("Asked")
Given = TypeVar("Given")

AnySweep = Sweep | Search | str | Path
"""A sweep or a search, or the path of its file."""


def with_one_error(function: Callable[Asked, Given]) -> Callable[Asked, Given]:
    """Return `function` as `import lrsym` shows it: what a user can put right is a UsageError of one line, in the words
    of Python, and options that it shares with others stand in its signature one by one."""
    signature = _whole_signature(function)

    @functools.wraps(function)
    def call(*args: Asked.args, **kwargs: Asked.kwargs) -> Given:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            asked = signature.parameters[name]
            if value is None and asked.default is asked.empty and name in (*_TEXTS, *_FILES):
                raise UsageError(f"{name} must be {'a text' if name in _TEXTS else 'the name of a file'}, got None")
            _check(name, value, several="Sequence" in str(asked.annotation))
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

    call.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue]  `inspect` asks for it
    return call


def _whole_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of `function` with the options of a dict in place of `**options: Unpack[Options]`."""
    signature = inspect.signature(function)
    *own, last = signature.parameters.values()
    if last.kind is not inspect.Parameter.VAR_KEYWORD:
        return signature
    from lrsym.api.execution import make_settings

    defaults = inspect.signature(make_settings).parameters
    (options,) = get_args(last.annotation)
    shared = [defaults[name].replace(annotation=kind) for name, kind in get_type_hints(options).items()]
    return signature.replace(parameters=[*own, *shared])


_TEXTS = (
    "metric",
    "best",
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


_FILES = ("file", "path", "claims")


def _check(name: str, value: object, *, several: bool) -> None:
    """Raise UsageError where an argument of that name, whatever the function, is of a kind that it cannot be.

    `several` tells whether the function takes a list of it as well.
    """
    if value is None:
        return
    wanted = None
    if name in NUMBERS:
        NUMBERS[name].check(name, value)
    elif name in _TEXTS and several and not _are_texts(value):
        wanted = "a text, or a list of them"
    elif name in _TEXTS and not several and not isinstance(value, str):
        wanted = "a text"
    elif name in _FILES and not isinstance(value, str | os.PathLike):
        wanted = "the name of a file"
    elif name == "trial_ids" and (isinstance(value, str) or not isinstance(value, Iterable)):
        wanted = "a list of ids"
    if wanted:
        raise UsageError(f"{name} must be {wanted}, got {value!r}")


def _are_texts(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list | tuple) and all(isinstance(one, str) for one in value))


def as_sweep(sweep: AnySweep, changes: Sequence[str] = ()) -> Sweep | Search:
    """Return the sweep or the search that is given, or that lies in the file of that name, with `changes` to it."""
    if isinstance(sweep, Sweep | Search):
        return sweep
    if isinstance(sweep, str | Path):
        from lrsym.sweep.spec.sweep_file import load_any

        return load_any(sweep, changes=changes)
    made = "make one with lrsym.Sweep.grid or lrsym.Sweep.of, or load one with lrsym.load_sweep"
    raise UsageError(f"sweep must be a Sweep, got {type(sweep).__name__}; {made}")


def as_grid(sweep: AnySweep, results: str, changes: Sequence[str] = ()) -> Sweep:
    """Return a sweep as it is; of a search, the cells that it has chosen in the folder `results`."""
    found = as_sweep(sweep, changes)
    if isinstance(found, Sweep):
        return found
    from lrsym.results.store.store import Store
    from lrsym.sweep.search.run import searched_sweep

    return searched_sweep(found, Store(results))


def refuse_searches(sweeps: object, what: str) -> None:
    """Raise UsageError where one of `sweeps` is a search, of whose cells `what` is not drawn or told."""
    for sweep in sweeps if isinstance(sweeps, list | tuple) else [sweeps]:
        if isinstance(sweep, Sweep | Search | str | Path) and isinstance(found := as_sweep(sweep), Search):
            raise UsageError(
                f"{what} is of grids, {found.name} is a search, which goes where it finds most and repeats no line; "
                "name a sweep with a grid, or see how it went with lrsym plot search"
            )


def as_grids(sweeps: object, results: str, changes: Sequence[str] = ()) -> list[Sweep]:
    """Return one sweep, or those of a list, as `as_grid`. Raise UsageError that tells what is wrong with each."""
    listed: Sequence[Any] = sweeps if isinstance(sweeps, list | tuple) else [sweeps]
    if not listed:
        raise UsageError("trials must be rows, a sweep or a list of sweeps, got an empty list; name a sweep")
    found, mistakes = list[Sweep](), list[str]()
    for sweep in listed:
        try:
            found.append(as_grid(sweep, results, changes))
        except UsageError as error:
            mistakes.append(str(error))
    if mistakes:
        raise UsageError("\n".join(dict.fromkeys(mistakes)))
    return found


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
    from lrsym.results.store.filesystem import open_filesystem
    from lrsym.results.store.place import require_results
    from lrsym.results.store.schema import TABLES

    root = as_folder(results)
    require_results(root)
    files = open_filesystem(root)
    if not any(files.list(table, suffix=".parquet") for table in TABLES):
        raise UsageError(f"there are no results in {root}; train a sweep first, or name the folder that has some")
    return root
