"""Trials as frozen values, and the identity made from them. Their axes: `lrsym.config.scene`, `lrsym.config.model`."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, Self, cast

from pydantic import BaseModel

from lrsym.config.model import ModelConfig
from lrsym.config.scene import SceneConfig
from lrsym.config.section import ConfigSection, Value, axis_field
from lrsym.config.training import EvalConfig, OptimConfig

TRAINER_VERSION = 1
"""Part of every trial_id. Raise it by hand when the same configuration may give other rows."""


class Trial(ConfigSection):
    """One fully resolved configuration, seed included."""

    scenes: SceneConfig = SceneConfig()
    model: ModelConfig = ModelConfig()
    optim: OptimConfig = OptimConfig()
    eval: EvalConfig = EvalConfig()
    seed: int = axis_field(
        0, "", "", "Root of every random stream of the trial; seeds are replicates.", per_member=True, ge=0, lt=2**63
    )

    @classmethod
    def from_axes(cls, values: Mapping[str, Any]) -> Self:
        """Return the trial with `values` by dotted key (`"optim.steps"`, `"seed"`), anything else at its default.

        Raise pydantic's ValidationError where a value or a combination is not allowed.
        """
        nested: dict[str, Any] = {}
        for key, value in values.items():
            section, dot, name = key.partition(".")
            if dot:
                nested.setdefault(section, {})[name] = value
            else:
                nested[section] = value
        return cls.model_validate(nested)

    def values(self) -> dict[str, Value]:
        """Return every axis by dotted key, in the order of their definition."""
        dumped = self.model_dump()
        sections = {section: part for section, part in dumped.items() if isinstance(part, dict)}
        dotted = {f"{section}.{name}": value for section, part in sections.items() for name, value in part.items()}
        return {**dotted, "seed": self.seed}

    @cached_property
    def trial_id(self) -> str:
        """128 bits in hex: SHA-256 over the canonical JSON of every axis that is not neutral and `TRAINER_VERSION`."""
        # Adding 0.0 turns -0.0 into 0.0: equal values must not have two identities.
        resolved = {
            key: value + 0.0 if isinstance(value, float) else value
            for key, value in self.values().items()
            if key not in _neutral() or value != _neutral()[key]
        }
        canonical = json.dumps(
            {"trainer_version": TRAINER_VERSION, "trial": resolved},
            sort_keys=True,
            separators=(",", ":"),
            allow_nan=False,
        )
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]

    @property
    def n_steps(self) -> int:
        """Return the optimiser steps in either arm; a last partial batch of fixed epochs is filled, not dropped."""
        if self.optim.steps is not None:
            return self.optim.steps
        assert self.optim.epochs is not None
        return math.ceil(self.optim.epochs * self.scenes.n_examples / self.optim.batch_size)

    @property
    def evaluation_steps(self) -> tuple[int, ...]:
        """Return the steps after which the trial is evaluated, ascending; the last step is always one of them."""
        last, points = self.n_steps, self.eval.points
        if self.eval.schedule == "linear":
            steps = {round(last * (i + 1) / points) for i in range(points)}
        else:
            first = max(1.0, last / 100)
            steps = {round(last * (first / last) ** (i / max(1, points - 1))) for i in range(points)}
        return tuple(sorted((steps | {last}) - {0}))

    @property
    def static_shape(self) -> tuple[Value, ...]:
        """Return what trials of one pack must share: the program of a step, the steps and the evaluation steps."""
        _, read_all = _shared_axes(type(self))
        return (self.n_steps, self.model.dropout > 0, *read_all(self))

    @property
    def program(self) -> tuple[Value, ...]:
        """Return what decides the cost of a step: array shapes and batch size.

        These are the axes that are not declared `per_member`, but those of `eval`. Dropout is: its rate may differ, but
        a pack without dropout has a shorter program.
        """
        read_program, _ = _shared_axes(type(self))
        return (self.model.dropout > 0, *read_program(self))


Reader = Callable[[Trial], tuple[Value, ...]]


@cache
def _shared_axes(trial_type: type[Trial]) -> tuple[Reader, Reader]:
    """Return what reads the axes that members of a pack must share off a trial: those of its program, and all."""
    shared = [key for key, field in trial_type.axis_fields() if not cast(dict, field.json_schema_extra)["per_member"]]
    return attrgetter(*(key for key in shared if not key.startswith("eval."))), attrgetter(*shared)


@cache
def _neutral() -> dict[str, Value]:
    """Neutral value by dotted key of the axes that have one."""
    found: dict[str, Any] = {}
    for section, part in Trial.model_fields.items():
        if isinstance(part.annotation, type) and issubclass(part.annotation, BaseModel):
            for name, field in part.annotation.model_fields.items():
                extra: Any = field.json_schema_extra
                found[f"{section}.{name}"] = extra["neutral"]
    return {key: value for key, value in found.items() if value is not None}
