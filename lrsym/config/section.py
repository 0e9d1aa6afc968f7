"""A section of a trial's configuration: a frozen value whose fields are axes.

Validation, Parquet columns, the documentation page and the command line all follow from the fields (through
`lrsym.config.axes`), so an axis is added in the section it belongs to, and in its one user.

Sources named in the sections: "paper" is arXiv:2601.12809; "recipe" is our own setting that shows the mechanism in
seconds (docs/decisions/recipe.md).
"""

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cache
from operator import getitem, itemgetter
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

Value = int | float | str | bool | None

KEPT_VALUES = 2**14
"""Written values that are kept, of each axis: bounded, for sweeps and searches of very many."""


def axis_field(
    default: Any,
    unit: str,
    source: str,
    sentence: str,
    *,
    derived: str = "",
    neutral: Any = None,
    version: int = 1,
    per_member: bool = False,
    **bounds: Any,
) -> Any:
    """Return the field of one axis: default, unit, source, sentence; `derived` names the rule of a computed default.

    `neutral` belongs to an axis that came after the first rows: the value that does what the trainer did without
    the axis. It is not part of the identity, so it must never change, whatever becomes of the default. `version` is
    raised by hand when any other value of it gives other rows than before: it is part of the identity then.

    `per_member` says that the members of a pack may differ in the axis: that its user reads it from each trial, and
    that no shape depends on it. Otherwise trials that differ in it are never packed together (`Trial.static_shape`).
    """
    extra: dict[str, Any] = {
        "unit": unit, "source": source, "derived": derived, "neutral": neutral, "version": version,
        "per_member": per_member,
    }  # fmt: skip
    return Field(default=default, description=sentence, json_schema_extra=extra, **bounds)


class ConfigSection(BaseModel):
    """A frozen value whose fields are axes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    section: ClassVar[str]
    """The name of the section: what stands before the dot in the keys of its axes."""

    @property
    def canonical_axes(self) -> str:
        """The section's share of a trial's canonical JSON: `"key":value,` for each axis that is not neutral, by key."""
        return self.form().write(self.__dict__)

    @classmethod
    @cache
    def form(cls) -> "Form":
        """Return how the axes of sections of this class are read and written."""
        extras: dict[str, Any] = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        names = sorted(extras)
        written = [
            _WrittenAxis(f"{cls.section}.{name}", extra["neutral"], extra["version"])
            for name, extra in sorted(extras.items())
        ]
        shared = [name for name in names if not extras[name]["per_member"]]
        return Form(itemgetter(*names), written, itemgetter(*shared) if shared else lambda _: ())

    @classmethod
    @cache
    def defaults(cls) -> dict[str, Any]:
        """Return the default of every axis."""
        return {name: field.default for name, field in cls.model_fields.items()}

    @classmethod
    def axis_fields(cls) -> Iterator[tuple[str, FieldInfo]]:
        """Yield the dotted key and the field of every axis of the section and of the sections in it."""
        for name, field in cls.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, ConfigSection):
                yield from ((f"{name}.{key}", axis) for key, axis in field.annotation.axis_fields())
            else:
                yield name, field


class _WrittenAxis(dict[Value, str]):
    """By value what an axis writes: `"key":value,`, or nothing for the neutral value. An axis has values of one type.

    A dict, because a million cells ask for each of their axes.
    """

    def __init__(self, key: str, neutral: Value, version: int):
        super().__init__({} if neutral is None else {neutral: ""})
        self._start = f"{json.dumps(key)}:"
        self._end = "," if version == 1 else f',"{key}.version":{version},'

    def __missing__(self, value: Value) -> str:
        # Adding 0.0 turns -0.0 into 0.0: equal values must not have two identities.
        plain = value + 0.0 if isinstance(value, float) else value
        text = f"{self._start}{json.dumps(plain, allow_nan=False)}{self._end}"
        if len(self) < KEPT_VALUES:
            self[value] = text
        return text


class Form(NamedTuple):
    """How the axes of a class of sections are read off their fields (`__dict__`), and written."""

    values_of: Callable[[Any], tuple[Value, ...]]
    """Reads all axes, sorted by key."""
    written: Sequence[_WrittenAxis]
    """The axes in this order."""
    shared_of: Callable[[Any], Hashable]
    """Reads the axes that the members of a pack share: those that are not declared `per_member`."""

    def write(self, fields: Mapping[str, Value]) -> str:
        """Return what `ConfigSection.canonical_axes` is."""
        return "".join(map(getitem, self.written, self.values_of(fields)))
