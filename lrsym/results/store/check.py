"""Whether every part can be read, byte for byte, and whether its tables belong together; and parts set aside.

Parts tell their digest; those of before have none and are only decoded, so that a bit that changed in a number may go
unseen. A part is what one pack gave, or a compaction: where one of its tables is wrong all of them are set
aside, and the next sweep trains what they held. A folder without any curves is a copy that left them out. What the
system would not read now may be sound, and stays; so do trials beside which a killed `forget` left rows of others.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

import polars as pl

from lrsym.errors import counted, first_line
from lrsym.results.store.digest import decode_part, part_bytes
from lrsym.results.store.fault import Fault
from lrsym.results.store.filesystem import FileSystem
from lrsym.results.store.part_file import MAX_NAMED, Damage, list_parts, part_file, part_name, require_no_damage
from lrsym.results.store.schema import OF_TRIALS, TABLES
from lrsym.results.store.table import BESIDE_KEY

QUARANTINE = "quarantine"
"""Folder of the results that holds what was set aside, under the names that the files had."""


@dataclass(frozen=True)
class _Read:
    """The columns of a part that are compared; `beside` are the tables that it says it was written with."""

    rows: pl.DataFrame
    beside: frozenset[str] | None


def check_parts(files: FileSystem) -> tuple[int, list[Fault]]:
    """Return how many files of tables were read, and what is wrong. Raises UsageError for a newer schema version."""
    listings = {name: list_parts(files, name) for name in TABLES}
    told = [damage for listing in listings.values() for damage in (*listing.damaged, *listing.misnamed)]
    faults = [_fault(damage.file, damage.why, may_pass=damage.may_pass) for damage in told]
    read, gone = dict[str, dict[str, _Read]](), set[str]()
    for name, listing in listings.items():
        for file, found in zip(listing.parts, files.map(partial(_read, files), listing.parts), strict=True):
            if isinstance(found, Fault):
                faults.append(found)
            elif found is None:
                gone.add(part_name(file))
            else:
                read.setdefault(part_name(file), {})[name] = found
    n_files = len(faults) + sum(map(len, read.values()))
    uncompared, there = gone | {fault.part for fault in faults}, {name for name in TABLES if listings[name].parts}
    for part, tables in read.items():
        if part not in uncompared and "trials" in tables:  # without, its pack is at work or was killed
            found = _compare(part, tables, there)
            # What was away for a moment while it was listed is not lost.
            faults += [f for f in found if f.file.partition("/")[0] in tables or not files.exists(f.file)]
    return n_files, sorted(faults, key=lambda fault: fault.file)


def require_as_written(files: FileSystem, names: Iterable[str]) -> None:
    """Raise UsageError for parts that are not as they were written: what is made of them would be sound and wrong."""
    faults = [found for found in files.map(partial(_read, files), names) if isinstance(found, Fault)]
    told = [Damage(fault.file, fault.why, surely_ours=True, may_pass=fault.repair == "none") for fault in faults]
    require_no_damage(files, told)


def _fault(file: str, why: str, *, may_pass: bool = False) -> Fault:
    return Fault(file, why, part_name(file), "none" if may_pass else "set aside")


def _read(files: FileSystem, file: str) -> _Read | Fault | None:
    """Return what is compared of a part, after all of it was decoded; None where it is gone by now."""
    try:
        table = decode_part(files.get(file))
    except FileNotFoundError:  # merged meanwhile
        return None
    except OSError as error:
        return _fault(file, f"cannot be read ({error.strerror or first_line(error)})", may_pass=True)
    except ValueError as error:
        return _fault(file, first_line(error))
    known = TABLES[file.partition("/")[0]]
    if odd := [name for name, kind in pl.Schema(table.schema).items() if known.written.get(name, kind) != kind]:
        return _fault(file, f"has columns of another type: {', '.join(odd[:MAX_NAMED])}")
    if lacking := sorted({*known.key} - {*table.column_names}):
        return _fault(file, f"lacks the columns {', '.join(lacking)}")
    rows = table.select([name for name in ("trial_id", "status") if name in table.column_names])
    beside = (table.schema.metadata or {}).get(BESIDE_KEY.encode())
    return _Read(pl.DataFrame(rows), None if beside is None else frozenset(filter(None, beside.decode().split(","))))


def _compare(part: str, read: dict[str, _Read], there: set[str]) -> Iterator[Fault]:
    """Yield the tables of a part that hold rows of other trials than its table trials, or that it lacks.

    A table that is not `there` in the whole folder was left out of a copy.
    """
    rows, beside = read["trials"].rows, read["trials"].beside
    trials, done = {*rows["trial_id"]}, {*rows.filter(pl.col("status") == "done")["trial_id"]}
    for name in OF_TRIALS:
        if name in read and (others := len({*read[name].rows["trial_id"]} - trials)):
            why = f"holds rows of {counted(others, 'trial')} that the table trials lacks"
            yield Fault(part_file(name, part), why, part, "write anew")
    for name in (beside or set[str]()) & there - read.keys():
        yield _fault(part_file(name, part), "is lost: the table trials of its part was written with it")
    if beside is None and "curves" in there and len(read) > 1:  # a part of before
        known = {*read["curves"].rows["trial_id"]} if "curves" in read else set[str]()
        if lacking := len(done - known):
            yield _fault(part_file("curves", part), f"lacks the curves of {counted(lacking, 'done trial')}")


def set_aside(files: FileSystem, faults: Iterable[Fault]) -> list[str]:
    """Move what is wrong into QUARANTINE, of a part all of its tables; return the files that were moved.

    The table trials goes first: from then on nothing of the part counts. Where the system would not read any of them
    now, all of them stay.
    """
    faults = list(faults)
    may_pass = {fault.part or fault.file for fault in faults if fault.repair == "none"}
    wrong = {fault.part or fault.file: fault for fault in faults if fault.repair == "set aside"}
    tables = sorted(TABLES, key=lambda name: name != "trials")
    moved = list[str]()
    for which, fault in wrong.items():
        if which in may_pass:
            continue
        names = [fault.file] if fault.part is None else [part_file(name, fault.part) for name in tables]
        try:
            contents = {name: content for name in names if (content := _content(files, name)) is not None}
        except OSError:
            continue
        for name, content in contents.items():
            _keep(files, name, content)
            files.delete(name)
            moved.append(name)
    return moved


def write_anew(files: FileSystem, faults: Iterable[Fault]) -> list[str]:
    """Write tables anew without the rows that no trial has; return those files. What they were is in QUARANTINE."""
    written = list[str]()
    for fault in faults:
        if fault.repair != "write anew" or fault.part is None:
            continue
        with contextlib.suppress(FileNotFoundError):  # set aside, or merged meanwhile
            trials, of = decode_part(files.get(part_file("trials", fault.part))), ["trial_id"]
            table = decode_part(content := files.get(fault.file))
            known = pl.DataFrame(trials.select(of))["trial_id"].implode()
            kept = pl.DataFrame(table.select(of))["trial_id"].is_in(known).fill_null(value=False)
            _keep(files, fault.file, content)
            files.put(fault.file, part_bytes(table.filter(kept.to_arrow())))
            written.append(fault.file)
    return written


def _content(files: FileSystem, name: str) -> bytes | None:
    """Return the content of a file; None where there is none, nor is it a pipe, which would be waited for."""
    if files.exists(name):
        with contextlib.suppress(FileNotFoundError):
            return files.get(name)
    return None


def _keep(files: FileSystem, name: str, content: bytes) -> None:
    """Write a file into QUARANTINE, beside what was set aside before under its name."""
    place = f"{QUARANTINE}/{name}"
    number = next(n for n in count(1) if not files.exists(place if n == 1 else f"{place}.{n}"))
    files.put(place if number == 1 else f"{place}.{number}", content)
