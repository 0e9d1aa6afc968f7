"""Claims files: TOML in, every claim checked, or one message that says which line to mend.

A `[[claim]]` has a sentence, sweeps by the name of their arm, and one `[[claim.part]]` for each number it asserts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lrsym.errors import UsageError
from lrsym.toml_source import Rule, TomlSource, read_source, read_toml, rule_of, show, suggest
from lrsym.vocabulary import INTERVALS

PICTURES = ("phase", "curves", "ablation", "profile")
"""Kinds of pictures, as the verbs of `lrsym plot`."""

BOOTSTRAP_N = 20
"""Of fewer values a nominal 95 % bootstrap interval holds the mean clearly less often: 87 % for 5 normal ones."""

_WITH_METRIC = ("phase", "curves")
_SAFE = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_SAFE_RULE = "letters, digits, _ and -, the first a letter or digit, at most 64"
_TEXT = r"\S"


class _Table(BaseModel):
    """A table of the file; each key has the rule that its value keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Part(_Table):
    """One number that a claim asserts, and the range it asserts for it."""

    name: Annotated[str, Field(pattern=_TEXT), Rule("text", 'write what is estimated: name = "order without EP"')]
    estimate: Annotated[
        str,
        Field(pattern=_TEXT),
        Rule(
            "an SQL query with a column value, one row for each replicate",
            'write for example estimate = "select unseen_order as value from trials"',
        ),
    ]
    at_least: Annotated[float | None, Rule("a finite number", "write at_least = 0.9")] = None
    at_most: Annotated[float | None, Rule("a finite number", "write at_most = 0.6")] = None


class Picture(_Table):
    """What is drawn beside the verdict, once for each arm."""

    kind: Annotated[str, Rule(f"one of {', '.join(PICTURES)}", 'write for example kind = "ablation"')]
    where: Annotated[
        str | None, Field(pattern=_TEXT), Rule("an SQL condition", 'write where = "n_pair_labels = 15"')
    ] = None
    metric: Annotated[str | None, Rule("text", 'write metric = "unseen_order"')] = None


class Claim(_Table):
    """A sentence about the tables, with the sweeps it is asked of and the parts it consists of."""

    id: Annotated[str, Field(pattern=_SAFE), Rule(f"safe as a file name: {_SAFE_RULE}", 'write for example "C6"')]
    sentence: Annotated[str, Field(pattern=_TEXT), Rule("text", "write what is claimed, in one sentence")]
    source: Annotated[str, Field(pattern=_TEXT), Rule("text", "write where the claim comes from")]
    interval: Annotated[str, Rule(f"one of {', '.join(INTERVALS)}", 'leave it out for "t"')] = "t"
    minimum_n: Annotated[int, Field(ge=2, lt=2**63), Rule("a whole number >= 2", "leave it out for 5")] = 5
    note: Annotated[str, Rule("text", "write it in quotes")] = ""
    sweeps: Annotated[
        dict[str, str],
        Field(min_length=1),
        Rule(
            "a table of sweep files by arm, at least one",
            'write [claim.sweeps] above "fixed steps" = "../sweeps/recipe.toml"',
        ),
    ]
    picture: Annotated[Picture | None, Rule("a table", "write [claim.picture]")] = None
    part: Annotated[
        tuple[Part, ...],
        Field(min_length=1, strict=False),
        Rule("a list of tables, at least one", "write [[claim.part]], in double brackets"),
    ]


class _File(_Table):
    name: Annotated[
        str, Field(pattern=_SAFE), Rule(f"safe as a file name: {_SAFE_RULE}", 'write for example name = "paper"')
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
        """The file's."""
        return Path(self.where.name)

    def select(self, ids: Iterable[str]) -> tuple[Claim, ...]:
        """The claims with these ids, all where none is given; UsageError for an id that is not in the file."""
        known = [claim.id for claim in self.claims]
        wanted = set(ids)
        for name in sorted(wanted - set(known)):
            remedy = suggest(name, known) or "it has " + ", ".join(known)
            raise UsageError(f"--claim must be an id in {self.path}, got {name}; {remedy}")
        return tuple(claim for claim in self.claims if claim.id in wanted or not wanted)

    def error(self, claim: Claim, key: str, message: str) -> UsageError:
        """The exception, not raised, for a mistake at `key` of `claim`, such as `part.0.estimate`."""
        number = next(i for i, other in enumerate(self.claims) if other.id == claim.id)
        return self.where.error(f"claim.{number}.{key}", f"claim {claim.id}: {message}")


def load(path: Path) -> ClaimsFile:
    """The claims in the file at `path`; UsageError where it cannot be read, and as `parse` does."""
    source = read_source(path, what="claims")
    return parse(source.text, source=source.name)


def parse(text: str, *, source: str) -> ClaimsFile:
    """The claims that `text` describes; `source` names it in messages.

    Raises UsageError, one message with line, rule, value and remedy, for anything that is not a valid claims file.
    Sweep files and SQL are not looked at.
    """
    where = TomlSource(text, name=source)
    document = read_toml(where)
    try:
        file = _File.model_validate(document)
    except ValidationError as error:
        # An unknown key first: where one is misspelt, the right one is missing as well.
        wrong = sorted(error.errors(include_url=False), key=lambda details: details["type"] != "extra_forbidden")
        raise _wrong_form(where, document, wrong[0]) from None
    _distinct(where, "claim", "id", [claim.id for claim in file.claim])
    for number, claim in enumerate(file.claim):
        _check(where, f"claim.{number}", claim)
    return ClaimsFile(file.name, file.claim, where)


def _check(where: TomlSource, path: str, claim: Claim) -> None:
    _one_of(where, path, "interval", claim.interval, tuple(INTERVALS))
    if claim.interval == "bootstrap" and claim.minimum_n < BOOTSTRAP_N:
        rule = f"minimum_n must be at least {BOOTSTRAP_N} with interval bootstrap, which is too narrow for few values"
        raise where.error(f"{path}.minimum_n", f"{rule}, got {claim.minimum_n}; raise it or use interval t")
    _distinct(where, f"{path}.part", "name", [part.name for part in claim.part])
    for number, part in enumerate(claim.part):
        _check_range(where, f"{path}.part.{number}", part)
    if claim.picture is not None:
        _one_of(where, f"{path}.picture", "kind", claim.picture.kind, PICTURES)
        if claim.picture.metric is not None and claim.picture.kind not in _WITH_METRIC:
            rule = f"metric is for pictures of kind {' and '.join(_WITH_METRIC)}, got kind {show(claim.picture.kind)}"
            raise where.error(f"{path}.picture.metric", f"{rule}; drop it")


def _check_range(where: TomlSource, path: str, part: Part) -> None:
    if part.at_least is None and part.at_most is None:
        message = f"part {show(part.name)} asserts nothing; give it at_least, at_most or both"
        raise where.error(path, message)
    if part.at_least is not None and part.at_most is not None and part.at_least > part.at_most:
        message = f"at_least must not be above at_most, got {part.at_least:g} and {part.at_most:g}; exchange them"
        raise where.error(f"{path}.at_least", message)


def _one_of(where: TomlSource, path: str, key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        remedy = suggest(value, allowed) or "choose one of them"
        message = f"{key} must be one of {', '.join(allowed)}, got {show(value)}; {remedy}"
        raise where.error(f"{path}.{key}", message)


def _distinct(where: TomlSource, path: str, key: str, values: list[str]) -> None:
    for number, value in enumerate(values):
        if (first := values.index(value)) != number:
            line = where.line(f"{path}.{first}.{key}")
            message = f"{key} must differ from the others, {show(value)} stands in line {line} already; choose another"
            raise where.error(f"{path}.{number}.{key}", message)


def _wrong_form(where: TomlSource, document: Mapping[str, Any], details: Mapping[str, Any]) -> UsageError:
    """The message for pydantic's first complaint: the nearest key that a table of ours describes."""
    loc = [str(part) for part in details["loc"]]
    table, fields = _table_at(loc)
    key = loc[table]
    name = _named(document, loc[:table])
    path = ".".join(loc)
    if details["type"] == "extra_forbidden":
        remedy = suggest(key, fields) or "known are " + ", ".join(fields)
        return where.error(path, f"unknown key {show(key)}{name}; {remedy}")
    rule = rule_of(fields[key].metadata)
    if details["type"] == "missing":
        return where.error(".".join(loc[:table]), f"{key} is missing{name}; {rule.remedy}")
    return where.error(path, rule.message(key, details["input"]))


def _table_at(loc: list[str]) -> tuple[int, Mapping[str, Any]]:
    """Where in `loc` the key of the innermost table stands, and the fields of that table."""
    inner = {"claim": Claim, "part": Part, "picture": Picture}
    fields, at = _File.model_fields, 0
    while loc[at] in inner and at + 1 < len(loc):
        after = at + 1 if loc[at] == "picture" else at + 2
        if after >= len(loc):
            break
        fields, at = inner[loc[at]].model_fields, after
    return at, fields


def _named(document: Mapping[str, Any], loc: list[str]) -> str:
    """Which table `loc` is, by its header and the id of its claim; empty for the top of the file."""
    if not loc:
        return ""
    header = ".".join(part for part in loc if not part.isdigit())
    told = f"[{header}]" if loc[-1] == "picture" else f"[[{header}]]"
    identity = document["claim"][int(loc[1])].get("id")
    return f" in {told}" + (f" of {show(identity)}" if isinstance(identity, str) else "")
