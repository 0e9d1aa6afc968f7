"""Which files of a table's folder are its parts: by their name and by what the writer put into their metadata.

    lrsym_schema_version   of every part ever written
    lrsym_table, lrsym_part   the folder and the name that it was written to; parts of before lack both
    lrsym_tables              of trials: the other tables of the part, none where a merge found none

A file that says another table or name than it has is a copy. One that says neither is ours only under a name that a
sweep gives to its parts, and with the columns that tell rows of its table apart.
"""

import contextlib
import hashlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import polars as pl

from lrsym.errors import DamagedPartWarning, ObjectStoreError, UsageError, counted, first_line
from lrsym.results.store.filesystem import FileSystem, Stamp
from lrsym.results.store.object_access import storage_options
from lrsym.results.store.parquet_footer import footer_string, footer_value, read_footer
from lrsym.results.store.schema import OF_TRIALS, TABLES
from lrsym.results.store.table import PART_KEY, SCHEMA_VERSION, TABLE_KEY, VERSION_KEY
from lrsym.vocabulary import STOP_RULES

SUFFIX = ".parquet"

MAX_NAMED = 5
"""Files that a sentence names; the others are counted."""

SEE_TO_IT = "see to the permissions or the mount"
"""What helps where the system would not read a file that may be sound."""

_NAMES = re.compile(
    rf"[0-9a-f]{{32}}(-(failed|{'|'.join(map(re.escape, STOP_RULES))}))?"
    r"|run-[0-9a-f]{16}|compact-[0-9a-f]{16}|search-[0-9a-f]+-[0-9-][0-9]{6,}(-outcome)?|reference"
)
"""Names that parts have: of packs and their failures, runs, compactions, searches, and the committed rows."""

_TELLING = {name: table.key for name, table in TABLES.items()} | {"trials": ("trial_id", "seed", "status")}
"""Columns without which a file is no part of the table."""


@dataclass(frozen=True)
class Damage:
    """A file that should be a part and cannot be read; `surely_ours` where its name says that it is one.

    What the system would not read now `may_pass`.
    """

    file: str
    why: str
    surely_ours: bool
    may_pass: bool = False


@dataclass
class Listing:
    """The files of one table's folder, in the order of their names: its parts and what is none, with their stamps, and
    the damaged."""

    parts: dict[str, Stamp] = field(default_factory=dict)
    damaged: list[Damage] = field(default_factory=list)
    foreign: dict[str, Stamp] = field(default_factory=dict)

    @property
    def misnamed(self) -> list[Damage]:
        """Files that stand where a part would, and are none: one bit in the metadata is enough."""
        why = "has the name of a part, but not its metadata"
        return [Damage(file, why, surely_ours=True) for file in self.foreign if is_named_as_part(file)]


def part_file(table: str, part: str) -> str:
    """Return the name of the file of `part` in the folder of `table`."""
    return f"{table}/{part}{SUFFIX}"


def run_part(run_id: str) -> str:
    """Return the name of the part with the row of a run; one that lrsym did not give is not written into a path."""
    known = re.fullmatch("[0-9a-f]{16}", run_id)
    return f"run-{run_id if known else hashlib.sha256(run_id.encode()).hexdigest()[:16]}"


def part_name(file: str) -> str:
    """Return the part that a file belongs to."""
    return file.rpartition("/")[2].removesuffix(SUFFIX)


def list_parts(files: FileSystem, table: str) -> Listing:
    """Return the parts of `table`. Raises UsageError for a part that a newer lrsym has written."""
    listing, stamps, root = Listing(), files.stamps(table, suffix=SUFFIX), files.uri()
    _listed.pop(root, None)
    _listed[root] = None
    new = [file for file, stamp in stamps.items() if _seen.get(f"{root}/{file}", (None,))[0] != stamp]

    def judge(file: str) -> Verdict | None:
        return _judge_again(files, file, table)

    verdicts = dict(zip(new, files.map(judge, new), strict=True))
    for file, stamp in stamps.items():
        place = f"{root}/{file}"
        verdict = verdicts[file] if file in verdicts else _seen[place][1]
        if verdict is None:
            continue
        if not (isinstance(verdict, Damage) and verdict.may_pass):
            _seen[place] = stamp, verdict
        if isinstance(verdict, Damage):
            listing.damaged.append(verdict)
        elif verdict == "part":
            listing.parts[file] = stamp
        else:
            listing.foreign[file] = stamp
    return listing


def remember_parts(files: FileSystem, stamps: Mapping[str, Stamp]) -> None:
    """Take it that files are parts as long as they have these stamps."""
    root = files.uri()
    for file, stamp in stamps.items():
        _seen.setdefault(f"{root}/{file}", (stamp, "part"))


def is_named_as_part(file: str) -> bool:
    """Return whether a file has a name that parts have."""
    return _NAMES.fullmatch(part_name(file)) is not None


def warn_of_damage(files: FileSystem, damaged: Iterable[Damage]) -> None:
    """Warn of files that are not read, each with what is lost with it."""
    for damage in damaged:
        text = f"{files.root}/{damage.file} {damage.why} and is not read{_loss(files, damage)}"
        warnings.warn(text, DamagedPartWarning, stacklevel=3)


def require_no_damage(files: FileSystem, damaged: Iterable[Damage]) -> None:
    """Raise UsageError for parts that would be taken as not there; warn of files that may be none of ours.

    What may pass is not to be set aside: the rows are there.
    """
    damaged = list(damaged)
    ours = [damage for damage in damaged if damage.surely_ours]
    warn_of_damage(files, [damage for damage in damaged if not damage.surely_ours])
    if ours:
        listed = "; ".join(f"{files.root}/{d.file} {d.why}{_loss(files, d)}" for d in ours[:MAX_NAMED])
        more = f"; and {len(ours) - MAX_NAMED} more" if len(ours) > MAX_NAMED else ""
        remedy = (
            f"restore {'them' if len(ours) > 1 else 'it'} from a copy, or set aside what is damaged with lrsym check "
            f"--repair --results {files.root}, then run the same command again: trials without rows are trained again"
        )
        if any(damage.may_pass for damage in ours):
            remedy = f"{SEE_TO_IT} of what cannot be read, then run the same command again"
        raise UsageError(f"{counted(len(ours), 'damaged part')} in the results: {listed}{more}; {remedy}")


def damage_sentence(error: BaseException) -> str | None:
    """Return which parts polars could not read, and what a user can do about it; None where it can read them all."""
    if not (damaged := _unreadable()):
        return None
    more = f" and {len(damaged) - MAX_NAMED} more" if len(damaged) > MAX_NAMED else ""
    named = ", ".join(damaged[:MAX_NAMED]) + more
    return f"{named} cannot be read: {first_line(error)}; restore from a copy, or set aside with lrsym check --repair"


def table_sentence(error: BaseException) -> str:
    """Return what a user can do about a table that polars could not read."""
    general = f"a table in the results cannot be read: {first_line(error)}; move damaged files out of the folder"
    return damage_sentence(error) or general


def _unreadable() -> list[str]:
    """Return parts whose rows are damaged behind sound metadata: of the store that was listed last and has any."""
    for root in reversed(_listed):
        parts = [file for file, (_, verdict) in _seen.items() if verdict == "part" and file.startswith(f"{root}/")]
        if found := [file for file in parts if _is_unreadable(file)]:
            return found
    return []


def _is_unreadable(file: str) -> bool:
    try:
        pl.scan_parquet(
            file, schema=TABLES[file.split("/")[-2]].written, missing_columns="insert", extra_columns="ignore",
            glob=False, storage_options=storage_options(file),
        ).collect()  # fmt: skip
    except FileNotFoundError:  # merged since
        return False
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return True
    return False


Verdict = Literal["part", "foreign"] | Damage

_seen: dict[str, tuple[Stamp, Verdict]] = {}
"""What files were found to be, by address: a verb lists the same folders several times."""

_listed: dict[str, None] = {}
"""The addresses of stores whose parts were listed, the last one at the end."""


def _judge_again(files: FileSystem, file: str, table: str) -> Verdict | None:
    """Return what a file is; None where it is gone, and not only for a moment, as on a mounted folder."""
    for _ in range(2):
        with contextlib.suppress(FileNotFoundError):
            return judge(files, file, table)
        if files.stamp(file) is None:
            return None
    return Damage(file, "cannot be read (it comes and goes)", is_named_as_part(file), may_pass=True)


def judge(files: FileSystem, file: str, table: str) -> Verdict:
    """Return what a file is. Raises FileNotFoundError, and UsageError for a part that a newer lrsym has written."""
    part = part_name(file)
    ours = is_named_as_part(file)
    try:
        footer = read_footer(files, file)
    except (FileNotFoundError, ObjectStoreError):  # it is gone, or nothing of it can be read
        raise
    except OSError as error:
        return Damage(file, f"cannot be read ({error.strerror})", ours, may_pass=True)
    except ValueError as error:
        return Damage(file, str(error), ours)
    version = footer_value(footer, VERSION_KEY)
    if version is None or not re.fullmatch("[0-9]{1,9}", version):
        return "foreign"
    if int(version) > SCHEMA_VERSION:
        raise UsageError(
            f"{files.root}/{file} has schema version {version}, this lrsym reads up to {SCHEMA_VERSION}; install the "
            "lrsym that wrote it, or a newer one"
        )
    written_as = footer_value(footer, TABLE_KEY), footer_value(footer, PART_KEY)
    if written_as != (None, None):
        return "part" if written_as == (table, part) else "foreign"
    return "part" if ours and all(footer_string(name) in footer for name in _TELLING[table]) else "foreign"


def _loss(files: FileSystem, damage: Damage) -> str:
    """Return whose rows are lost with a file, as its sisters in the other tables tell."""
    table, part = damage.file.partition("/")[0], part_name(damage.file)
    if not damage.surely_ours or table not in OF_TRIALS:
        return ""
    trial_ids = {*chain.from_iterable(_trials_of(files, part, without=table))}
    count = f"{len(trial_ids)} trial{'s' * (len(trial_ids) != 1)}" if trial_ids else "its trials"
    return f", so the {'rows' if table == 'trials' else table} of {count} are lost"


def _trials_of(files: FileSystem, part: str, *, without: str) -> Iterator[list[str]]:
    for table in OF_TRIALS:
        if table != without and files.exists(file := part_file(table, part)):
            try:
                rows = pl.read_parquet(
                    files.uri(file), columns=["trial_id"], glob=False, storage_options=files.storage_options
                )
                yield rows["trial_id"].unique().to_list()
            except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):  # damaged as well
                continue
