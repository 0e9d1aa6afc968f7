"""Claims files: TOML in, every claim checked, or one message that says which line to mend.

A `[[claim]]` has a sentence, sweeps by the name of their arm, and one `[[claim.part]]` for each number it asserts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from lrsym.claims.claim import SAFE_NAME, SAFE_NAME_RULE, Claim, Part, Picture, Table
from lrsym.errors import UsageError
from lrsym.sweep.spec.messages import TOP_KEYS
from lrsym.toml_source import Rule, TomlSource, read_source, read_toml, rule_of, show, suggest
from lrsym.vocabulary import INTERVALS, PICTURES, TESTS

MIN_BOOTSTRAP_N = 20
"""Of fewer values a nominal 95 % bootstrap interval holds the mean clearly less often: 87 % for 5 normal ones."""

COUNTED = ("t", "logit")
"""Intervals that heed the step in which values are counted."""

_WITH_METRIC = ("phase", "line", "curves")


class _File(Table):
    name: Annotated[
        str,
        Field(pattern=SAFE_NAME),
        Rule(f"safe as a file name: {SAFE_NAME_RULE}", 'write for example name = "paper"'),
    ]
    claim: Annotated[
        tuple[Claim, ...],
        Field(min_length=1, strict=False),
        Rule("a list of tables, at least one", "write [[claim]], in double brackets"),
    ]


@dataclass(frozen=True)
class ClaimsFile:
    """The claims of one file, in its order, and where they stand in it."""

    name: str
    claims: tuple[Claim, ...]
    where: TomlSource

    @property
    def path(self) -> Path:
        """Return the path of the file."""
        return Path(self.where.name)

    def select(self, ids: Iterable[str]) -> tuple[Claim, ...]:
        """Return the claims with these ids, all where none is given; UsageError for an id that is not in the file."""
        known = [claim.id for claim in self.claims]
        wanted = set(ids)
        for name in sorted(wanted - set(known)):
            remedy = suggest(name, known) or "it has " + ", ".join(known)
            raise UsageError(f"--claim must be an id in {self.path}, got {name}; {remedy}")
        return tuple(claim for claim in self.claims if claim.id in wanted or not wanted)

    def error(self, claim: Claim, key: str, message: str) -> UsageError:
        """Return (do not raise) a UsageError that names the line of `key` in `claim`, such as `part.0.estimate`."""
        number = next(i for i, other in enumerate(self.claims) if other.id == claim.id)
        return self.where.error(f"claim.{number}.{key}", f"claim {claim.id}: {message}")


def load(path: Path) -> ClaimsFile:
    """Return the claims in the file at `path`; UsageError where it cannot be read, and as `parse` does."""
    source = read_source(path, what="claims")
    return parse(source.text, source=source.name)


def parse(text: str, *, source: str) -> ClaimsFile:
    """Return the claims that `text` describes; `source` names it in messages.

    Raises UsageError, one message with line, rule, value and remedy, for anything that is not a valid claims file.
    Sweep files and SQL are left to `check`.
    """
    where = TomlSource(text, name=source)
    document = read_toml(where)
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        # An unknown key first: where one is misspelt, the right one is missing as well.
        wrong = sorted(error.errors(include_url=False), key=lambda details: details["type"] != "extra_forbidden")
        raise _form_error(where, document, wrong[0]) from None
    _check_distinct(where, "claim", "id", [claim.id for claim in file.claim])
    for number, claim in enumerate(file.claim):
        _check_claim(where, f"claim.{number}", claim)
    return ClaimsFile(file.name, file.claim, where)


def _check_claim(where: TomlSource, path: str, claim: Claim) -> None:
    _check_choice(where, path, "interval", claim.interval, tuple(INTERVALS))
    for number, part in enumerate(claim.part):
        _check_choice(where, f"{path}.part.{number}", "interval", claim.interval_of(part), tuple(INTERVALS))
    if "bootstrap" in map(claim.interval_of, claim.part) and claim.minimum_n < MIN_BOOTSTRAP_N:
        rule = (
            f"minimum_n must be at least {MIN_BOOTSTRAP_N} with interval bootstrap, which is too narrow for few values"
        )
        raise where.error(f"{path}.minimum_n", f"{rule}, got {claim.minimum_n}; raise it or use interval t")
    _check_distinct(where, f"{path}.part", "name", [part.name for part in claim.part])
    for arm, name in claim.sweeps.items():
        _check_printable(where, f"{path}.sweeps.{arm}", "the name of an arm", arm)
        _check_printable(where, f"{path}.sweeps.{arm}", "a sweep file", name)
    for number, part in enumerate(claim.part):
        _check_printable(where, f"{path}.part.{number}.name", "name", part.name)
        _check_choice(where, f"{path}.part.{number}", "test", part.test, tuple(TESTS))
        _check_range(where, f"{path}.part.{number}", part)
        if part.resolution and (interval := claim.interval_of(part)) not in COUNTED:
            rule = f"resolution is for interval {' and '.join(COUNTED)}, got interval {show(interval)}"
            raise where.error(f"{path}.part.{number}.resolution", f"{rule}; drop it")
    if claim.picture is not None:
        _check_choice(where, f"{path}.picture", "kind", claim.picture.kind, tuple(PICTURES))
        if claim.picture.metric is not None and claim.picture.kind not in _WITH_METRIC:
            rule = f"metric is for pictures of kind {' and '.join(_WITH_METRIC)}, got kind {show(claim.picture.kind)}"
            raise where.error(f"{path}.picture.metric", f"{rule}; drop it")


def _check_printable(where: TomlSource, path: str, what: str, text: str) -> None:
    if not text.strip() or not text.isprintable():
        raise where.error(path, f"{what} must be a line of printable text, got {show(text)}; reword it")


def _check_range(where: TomlSource, path: str, part: Part) -> None:
    if part.bounds is not None and part.bounds[0] >= part.bounds[1]:
        low, high = part.bounds
        raise where.error(f"{path}.bounds", f"bounds must have the lower first, got [{low:g}, {high:g}]; exchange them")
    if part.at_least is None and part.at_most is None:
        message = f"part {show(part.name)} asserts nothing; give it at_least, at_most or both"
        raise where.error(path, message)
    if part.test == "equivalence" and (part.at_least is None or part.at_most is None):
        message = f"test equivalence needs a margin on both sides, at_least and at_most, of part {show(part.name)}"
        raise where.error(f"{path}.test", f"{message}; give both, or leave test out")
    if part.at_least is not None and part.at_most is not None and part.at_least > part.at_most:
        message = f"at_least must not be above at_most, got {part.at_least:g} and {part.at_most:g}; exchange them"
        raise where.error(f"{path}.at_least", message)


def _check_choice(where: TomlSource, path: str, key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        remedy = suggest(value, allowed) or "choose one of them"
        message = f"{key} must be one of {', '.join(allowed)}, got {show(value)}; {remedy}"
        raise where.error(f"{path}.{key}", message)


def _check_distinct(where: TomlSource, path: str, key: str, values: list[str]) -> None:
    for number, value in enumerate(values):
        if (first := values.index(value)) != number:
            line = where.line(f"{path}.{first}.{key}")
            message = f"{key} must differ from the others, {show(value)} stands in line {line} already; choose another"
            raise where.error(f"{path}.{number}.{key}", message)


def _form_error(where: TomlSource, document: Mapping[str, Any], details: Mapping[str, Any]) -> UsageError:
    """Return the error for pydantic's `details`: it names the nearest key that a table of ours describes."""
    loc = [str(part) for part in details["loc"]]
    table, fields = _table_at(loc)
    key = loc[table]
    name = _describe_table(document, loc[:table])
    path = ".".join(loc)
    if details["type"] == "extra_forbidden":
        of_a_sweep = len(loc) == 1 and key in TOP_KEYS
        other = "such a key has a sweep file; claims lie in a file of their own, with [[claim]]"
        remedy = other if of_a_sweep else suggest(key, fields) or "known are " + ", ".join(fields)
        return where.error(path, f"unknown key {show(key)}{name}; {remedy}")
    rule = rule_of(fields[key].metadata)
    if details["type"] == "missing" and loc[-1] == key:  # else an element of a list is
        return where.error(".".join(loc[:table]), f"{key} is missing{name}; {rule.remedy}")
    return where.error(path, rule.message(key, details["input"]))


def _table_at(loc: list[str]) -> tuple[int, Mapping[str, Any]]:
    """Return where in `loc` the key of the innermost table stands, and the fields of that table."""
    inner = {"claim": Claim, "part": Part, "picture": Picture}
    fields, at = _File.model_fields, 0
    while loc[at] in inner and at + 1 < len(loc):
        after = at + 1 if loc[at] == "picture" else at + 2
        if after >= len(loc):
            break
        fields, at = inner[loc[at]].model_fields, after
    return at, fields


def _describe_table(document: Mapping[str, Any], loc: list[str]) -> str:
    """Return which table `loc` is, by its header and the id of its claim; empty for the top of the file."""
    if not loc:
        return ""
    name = ".".join(key for key in loc if not key.isdigit())
    header = f"[{name}]" if loc[-1] == "picture" else f"[[{name}]]"
    identity = document["claim"][int(loc[1])].get("id")
    return f" in {header}" + (f" of {show(identity)}" if isinstance(identity, str) else "")
