"""Trials as frozen values, and their identity. Their axes: `lrsym.config.scene`, `.model`, `.training`."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, Protocol, Self, cast

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

        Raises pydantic's ValidationError where a value or a combination is not allowed.
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
        sections = self.model_dump(exclude={"seed"})
        dotted = {f"{section}.{name}": value for section, axes in sections.items() for name, value in axes.items()}
        return {**dotted, "seed": self.seed}

    @cached_property
    def trial_id(self) -> str:
        """128 bits in hex, see `trial_ids`."""
        return trial_ids((self.scenes, self.model, self.optim, self.eval), (self.seed,))[0]

    @property
    def n_steps(self) -> int:
        """The optimiser steps, see `n_steps`."""
        return n_steps(self)

    @property
    def evaluation_steps(self) -> tuple[int, ...]:
        """The steps after which the trial is evaluated, ascending; the last step is always one of them."""
        last, points = self.n_steps, self.eval.points
        if self.eval.schedule == "linear":
            steps = {round(last * (i + 1) / points) for i in range(points)}
        else:
            first = max(1.0, last / 100)
            steps = {round(last * (first / last) ** (i / max(1, points - 1))) for i in range(points)}
        return tuple(sorted((steps | {last}) - {0}))

    @property
    def static_shape(self) -> tuple[Value, ...]:
        """What trials of one pack must share: the program of a step, the steps and the evaluation steps."""
        return static_shape(self, type(self))

    @property
    def program(self) -> tuple[Value, ...]:
        """What decides the cost of a step: array shapes and batch size.

        These are the axes that are not declared `per_member`, but those of `eval`. Dropout is: its rate may differ, but
        a pack without dropout has a shorter program.
        """
        read_program, _ = _shared_axes(type(self))
        return (self.model.dropout > 0, *read_program(self))


class Sections(Protocol):
    """The sections of a trial, of whatever seed."""

    @property
    def scenes(self) -> SceneConfig:
        """What is seen."""
        ...

    @property
    def model(self) -> ModelConfig:
        """The encoders."""
        ...

    @property
    def optim(self) -> OptimConfig:
        """How it is trained."""
        ...

    @property
    def eval(self) -> EvalConfig:
        """When it is evaluated."""
        ...


def n_steps(sections: Sections) -> int:
    """Return the optimiser steps in either arm; a last partial batch of fixed epochs is filled, not dropped."""
    optim = sections.optim
    if optim.steps is not None:
        return optim.steps
    assert optim.epochs is not None
    return math.ceil(optim.epochs * sections.scenes.n_examples / optim.batch_size)


def static_shape(sections: Sections, trial_type: type[Trial] = Trial) -> tuple[Value, ...]:
    """Return what trials of one pack must share, from the sections of one of them."""
    _, read_all = _shared_axes(trial_type)
    return (n_steps(sections), sections.model.dropout > 0, *read_all(sections))


Reader = Callable[[Sections], tuple[Value, ...]]


@cache
def _shared_axes(trial_type: type[Trial]) -> tuple[Reader, Reader]:
    """Return what reads the axes that members of a pack must share off a trial: those of its program, and all."""
    shared = [key for key, field in trial_type.axis_fields() if not cast(dict, field.json_schema_extra)["per_member"]]
    return attrgetter(*(key for key in shared if not key.startswith("eval."))), attrgetter(*shared)


def trial_ids(sections: Iterable[ConfigSection], seeds: Iterable[int]) -> list[str]:
    """Return the identities of the trials that consist of `sections` and one of `seeds` each: 128 bits in hex.

    It is the beginning of SHA-256 over canonical JSON (sorted keys, no spaces) of `TRAINER_VERSION` and of every axis
    that is not neutral. What the trials share is hashed once.
    """
    # Sorted, the sections stand in the order of their keys; "seed" comes after the keys of every section.
    axes = "".join(sorted([section.canonical_axes for section in sections]))
    shared = hashlib.sha256(f'{{"trainer_version":{TRAINER_VERSION},"trial":{{{axes}"seed":'.encode())
    ids = []
    for seed in seeds:
        whole = shared.copy()
        whole.update(b"%d}}" % seed)
        ids.append(whole.hexdigest()[:32])
    return ids
