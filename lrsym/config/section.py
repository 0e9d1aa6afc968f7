"""A section of a trial's configuration: a frozen value whose fields are axes.

Validation, Parquet columns, the documentation page and the command line all follow from the fields (through
`lrsym.config.axes`), so an axis is added in the section it belongs to, and in its one user.

Sources named in the sections: "paper" is arXiv:2601.12809; "recipe" is our own setting that shows the mechanism in
seconds (docs/decisions/recipe.md).
"""

import json
from collections.abc import Callable, Iterator
from functools import cache, cached_property, lru_cache
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

Value = int | float | str | bool | None


def axis_field(
    default: Any,
    unit: str,
    source: str,
    sentence: str,
    *,
    derived: str = "",
    neutral: Any = None,
    per_member: bool = False,
    **bounds: Any,
) -> Any:
    """Return the field of one axis: default, unit, source, sentence; `derived` names the rule of a computed default.

    `neutral` belongs to an axis that came after the first rows: the value that does what the trainer did without
    the axis. It is not part of the identity, so it must never change, whatever becomes of the default.

    `per_member` says that the members of a pack may differ in the axis: that its user reads it from each trial, and
    that no shape depends on it. Otherwise trials that differ in it are never packed together (`Trial.static_shape`).
    """
    extra: dict[str, Any] = {
        "unit": unit, "source": source, "derived": derived, "neutral": neutral, "per_member": per_member,
    }  # fmt: skip
    return Field(default=default, description=sentence, json_schema_extra=extra, **bounds)


class ConfigSection(BaseModel):
    """A frozen value whose fields are axes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    section: ClassVar[str]
    """The name of the section: what stands before the dot in the keys of its axes."""

    @cached_property
    def canonical_axes(self) -> str:
        """The section's share of a trial's canonical JSON: `"key":value,` for every axis that is not neutral, by key.

        It is kept, because the trials of a sweep share their sections.
        """
        axes = _canonical_form(type(self))
        return "".join(map(_json_pair, axes.keys, axes.neutral, axes.values_of(self.__dict__)))

    @classmethod
    def axis_fields(cls) -> Iterator[tuple[str, FieldInfo]]:
        """Yield the dotted key and the field of every axis of the section and of the sections in it."""
        for name, field in cls.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, ConfigSection):
                yield from ((f"{name}.{key}", axis) for key, axis in field.annotation.axis_fields())
            else:
                yield name, field


class _CanonicalForm(NamedTuple):
    """How the axes of a class of sections are written, sorted by key."""

    keys: tuple[str, ...]
    """Dotted keys, as JSON."""
    neutral: tuple[Value, ...]
    values_of: Callable[[Any], tuple[Value, ...]]


@cache
def _canonical_form(section: type[ConfigSection]) -> _CanonicalForm:
    extras: dict[str, Any] = {name: field.json_schema_extra for name, field in section.model_fields.items()}
    names = sorted(extras)
    keys = tuple(json.dumps(f"{section.section}.{name}") for name in names)
    return _CanonicalForm(keys, tuple(extras[name]["neutral"] for name in names), itemgetter(*names))


@lru_cache(maxsize=2**16)  # bounded, for sweeps and searches of very many values; an axis has values of one type
def _json_pair(key: str, neutral: Value, value: Value) -> str:
    """Return `"key":value,`, or nothing where `value` is the neutral one."""
    if neutral is not None and value == neutral:
        return ""
    # Adding 0.0 turns -0.0 into 0.0: equal values must not have two identities.
    return f"{key}:{json.dumps(value + 0.0 if isinstance(value, float) else value, allow_nan=False)},"
