"""The axes of a trial as data: what columns, documentation and error messages are made from."""

import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

from lrsym.config.model import SHORTHANDS
from lrsym.config.section import Value
from lrsym.config.trial import Trial


@dataclass(frozen=True)
class Axis:
    """One axis as documentation, columns and packs need it; the fields are those of `axis_field`."""

    section: str
    name: str
    type: type
    optional: bool
    default: Value
    unit: str
    source: str
    sentence: str
    derived: str
    neutral: Value
    bounds: str
    version: int = 1
    per_member: bool = False

    @property
    def key(self) -> str:
        """The dotted key of sweep files; the column's name is the part behind the dot."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def default_in_words(self) -> str:
        """The default as a sweep file writes it, or where it is derived from; empty where the axis is absent."""
        if self.derived or self.default is None:
            return self.derived
        return str(self.default).lower() if self.type is bool else str(self.default)


@cache
def axes() -> tuple[Axis, ...]:
    """Return every axis of a trial, section by section, the seed last."""
    return tuple(_describe(key, field) for key, field in Trial.axis_fields())


def as_markdown() -> str:
    """Return the axes page: one row for each key of a sweep file."""
    lines = [
        "# Axes: the keys of a sweep file",
        "",
        "Written by `lrsym axes --markdown`; a test holds this page to the code. The column of an axis in the table",
        "`trials` is the part of its key behind the dot.",
        "",
        "| key | type | allowed | default | unit | meaning | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for a in axes():
        kind = a.type.__name__ + (" or absent" if a.optional else "")
        bounds = a.bounds.replace("|", "or")
        cells = (f"`{a.key}`", kind, bounds, a.default_in_words, a.unit, a.sentence, a.source)
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "`model.preset` is no axis but stands for several, the paper's models; so does `model.init`, for where",
        "training starts: `small` as in the recipe, `pytorch` as PyTorch's layers, `clip` as CLIP's text Transformer.",
        "A key given beside them goes first, a decoder has no vision_blocks, rotary positions no init_position_std:",
        "",
        *(
            f"- `{key} = {name}`: {', '.join(f'{k} {v}' for k, v in values.items())}"
            for key, words in SHORTHANDS.items()
            for name, values in words.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _describe(key: str, field: Any) -> Axis:
    section, _, name = key.rpartition(".")
    members = typing.get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,)
    base = next(m for m in members if m is not type(None))
    choices = typing.get_args(base)
    marks = {"ge": ">= {}", "gt": "> {}", "le": "<= {}", "lt": "< {}"}
    rules = [text.format(getattr(m, mark)) for m in field.metadata for mark, text in marks.items() if hasattr(m, mark)]
    return Axis(
        section,
        name,
        str if choices else base,
        len(members) > 1,
        field.default,
        sentence=field.description,
        bounds=", ".join(rules) or " | ".join(map(str, choices)),
        **field.json_schema_extra,
    )


def _is_union(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType)
