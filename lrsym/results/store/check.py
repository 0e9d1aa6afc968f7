"""Whether every part can be read, byte for byte, and whether its tables belong together; and parts set aside.

Parts tell their digest; those of before have none and are only decoded, so that a bit that changed in a number may go
unseen. A part is what one pack gave, or a compaction: where one of its tables is wrong all of them are set
aside, and the next sweep trains what they held. A folder without any curves is a copy that left them out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

import polars as pl

from lrsym.errors import counted, first_line
from lrsym.results.store.digest import decode_part
from lrsym.results.store.filesystem import FileSystem
from lrsym.results.store.part_file import (
    MAX_NAMED,
    Damage,
    is_named_as_part,
    list_parts,
    part_file,
    part_name,
    require_no_damage,
)
from lrsym.results.store.schema import OF_TRIALS, TABLES

QUARANTINE = "quarantine"
"""Folder of the results that holds what was set aside, under the names that the files had."""


@dataclass(frozen=True)
class Fault:
    """A file of the results that is not as it was written, and why; `part` is None for what is no table."""

    file: str
    why: str
    part: str | None = None


def check_parts(files: FileSystem) -> tuple[int, list[Fault]]:
    """Return how many files of tables were read, and what is wrong. Raises UsageError for a newer schema version."""
    listings = {name: list_parts(files, name) for name in TABLES}
    faults = [Fault(d.file, d.why, part_name(d.file)) for listing in listings.values() for d in listing.damaged]
    odd = [file for listing in listings.values() for file in listing.foreign if is_named_as_part(file)]
    faults += [Fault(file, "has the name of a part, but not its metadata", part_name(file)) for file in odd]
    read: dict[str, dict[str, pl.DataFrame]] = {}
    for name, listing in listings.items():
        for file, found in zip(listing.parts, files.map(partial(_read, files), listing.parts), strict=True):
            if isinstance(found, Fault):
                faults.append(found)
            elif found is not None:
                read.setdefault(part_name(file), {})[name] = found
    n_files = len(faults) + sum(map(len, read.values()))
    damaged = {fault.part for fault in faults}
    for part, tables in read.items():
        if part not in damaged and "trials" in tables:  # without, its pack is at work or was killed
            faults += _compare(part, tables, has_curves=bool(listings["curves"].parts))
    return n_files, sorted(faults, key=lambda fault: fault.file)


def require_as_written(files: FileSystem, names: Iterable[str]) -> None:
    """Raise UsageError for parts that are not as they were written: what is made of them would be sound and wrong."""
    faults = [found for found in files.map(partial(_read, files), names) if isinstance(found, Fault)]
    require_no_damage(files, [Damage(fault.file, fault.why, surely_ours=True) for fault in faults])


def _read(files: FileSystem, file: str) -> pl.DataFrame | Fault | None:
    """Return the columns of a part that are compared, after all of it was decoded; None where it is gone by now."""
    try:
        table = decode_part(files.get(file))
    except FileNotFoundError:  # merged meanwhile
        return None
    except (OSError, ValueError) as error:
        return Fault(file, first_line(error), part_name(file))
    known = TABLES[file.partition("/")[0]]
    if odd := [name for name, kind in pl.Schema(table.schema).items() if known.written.get(name, kind) != kind]:
        return Fault(file, f"has columns of another type: {', '.join(odd[:MAX_NAMED])}", part_name(file))
    if lacking := sorted({*known.key} - {*table.column_names}):
        return Fault(file, f"lacks the columns {', '.join(lacking)}", part_name(file))
    return pl.DataFrame(table.select([name for name in ("trial_id", "status") if name in table.column_names]))


def _compare(part: str, read: dict[str, pl.DataFrame], *, has_curves: bool) -> Iterator[Fault]:
    """Yield the tables of a part that hold rows of other trials than its table trials, or lack those of done ones."""
    trials = {*read["trials"]["trial_id"]}
    for name in OF_TRIALS:
        if name in read and (others := len({*read[name]["trial_id"]} - trials)):
            yield Fault(
                part_file(name, part), f"holds rows of {counted(others, 'trial')} that the table trials lacks", part
            )
    done = {*read["trials"].filter(pl.col("status") == "done")["trial_id"]}
    known = {*read["curves"]["trial_id"]} if "curves" in read else set[str]()
    if has_curves and (lacking := len(done - known)):
        yield Fault(part_file("curves", part), f"lacks the curves of {counted(lacking, 'done trial')}", part)


def set_aside(files: FileSystem, faults: Iterable[Fault]) -> list[str]:
    """Move what is wrong into QUARANTINE, of a part all of its tables; return the files that were moved.

    The table trials goes first: from then on nothing of the part counts.
    """
    faults = list(faults)
    parts = dict.fromkeys(fault.part for fault in faults if fault.part is not None)
    tables = sorted(TABLES, key=lambda name: name != "trials")
    names = [part_file(name, part) for part in parts for name in tables]
    moved = []
    for name in dict.fromkeys([*names, *(fault.file for fault in faults)]):
        if not files.exists(name):  # nor is it a pipe, which would be waited for
            continue
        try:
            content = files.get(name)
        except FileNotFoundError:
            continue
        place = f"{QUARANTINE}/{name}"
        number = next(n for n in count(1) if not files.exists(place if n == 1 else f"{place}.{n}"))
        files.put(place if number == 1 else f"{place}.{number}", content)  # beside what was set aside before
        files.delete(name)
        moved.append(name)
    return moved
