"""A section of a trial's configuration: a frozen value whose fields are axes.

Validation, Parquet columns, the documentation page and the command line all follow from the fields (through
`lrsym.config.axes`), so an axis is added in the section it belongs to, and in its one user.

Sources named in the sections: "paper" is arXiv:2601.12809; "recipe" is our own setting that shows the mechanism in
seconds (docs/decisions/recipe.md).
"""

import json
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Value = int | float | str | bool | None


def axis_field(
    default: Any, unit: str, source: str, sentence: str, derived: str = "", neutral: Any = None, **bounds: Any
) -> Any:
    """Return the field of one axis: default, unit, source, sentence; `derived` names the rule of a computed default.

    `neutral` belongs to an axis that came after the first rows: the value that does what the trainer did without
    the axis. It is not part of the identity, so it must never change, whatever becomes of the default.
    """
    extra: dict[str, Any] = {"unit": unit, "source": source, "derived": derived, "neutral": neutral}
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
        values = self.__dict__
        pairs = []
        for name, key, neutral in _json_keys(type(self)):
            value = values[name]
            if neutral is None or value != neutral:
                # Adding 0.0 turns -0.0 into 0.0: equal values must not have two identities.
                pairs.append(f"{key}:{_json_scalar(value + 0.0 if isinstance(value, float) else value)},")
        return "".join(pairs)


@cache
def _json_keys(section: type[ConfigSection]) -> tuple[tuple[str, str, Value], ...]:
    """Return name, dotted key in JSON and neutral value of every axis of `section`, sorted by key."""
    extras: dict[str, Any] = {name: field.json_schema_extra for name, field in section.model_fields.items()}
    return tuple((name, json.dumps(f"{section.section}.{name}"), extras[name]["neutral"]) for name in sorted(extras))


@lru_cache(maxsize=2**16, typed=True)  # bounded, for sweeps and searches of very many values; `typed`: 1 is not 1.0
def _json_scalar(value: Value) -> str:
    return json.dumps(value, allow_nan=False)
