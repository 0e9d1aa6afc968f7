"""Trials as frozen values, and their identity. Their axes: `lrsym.config.scene`, `.model`, `.training`."""

import hashlib
import math
import re
from collections.abc import Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import ValidationError

from lrsym.config.model import ModelConfig
from lrsym.config.scene import SceneConfig
from lrsym.config.section import ConfigSection, Value, axis_field
from lrsym.config.training import EvalConfig, OptimConfig
from lrsym.errors import UsageError

TRAINER_VERSION = 1
"""Part of every trial_id. Raise it by hand when the same configuration may give other rows."""


MIN_PREFIX_LENGTH = 4
"""Fewer digits of a trial_id match by chance in a sweep of some thousand trials."""


def begins_trial_id(text: str) -> bool:
    """Return whether a trial may be named by `text`, the beginning of its trial_id in either case."""
    return re.fullmatch(rf"[0-9a-fA-F]{{{MIN_PREFIX_LENGTH},32}}", text) is not None


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

        Raises UsageError, one line with the key, the rule, the value and the remedy, where one is not allowed.
        """
        nested: dict[str, Any] = {}
        for key, value in values.items():
            section, dot, name = str(key).partition(".")
            if dot and section in values:
                raise UsageError(f"an axis has one value, got {section} and {key}; leave one of them out")
            if dot:
                nested.setdefault(section, {})[name] = value
            else:
                nested[section] = value
        try:
            return cls.model_validate(nested)
        except ValidationError as error:
            from lrsym.config.messages import refusal

            raise refusal(values, error) from None

    def values(self) -> dict[str, Value]:
        """Return every axis by dotted key, in the order of their definition."""
        sections = self.model_dump(exclude={"seed"})
        dotted = {f"{section}.{name}": value for section, axes in sections.items() for name, value in axes.items()}
        return {**dotted, "seed": self.seed}

    @cached_property
    def trial_id(self) -> str:
        """128 bits in hex, see `trial_ids`."""
        return trial_ids(
            scenes=self.scenes.canonical_axes,
            model=self.model.canonical_axes,
            optim=self.optim.canonical_axes,
            evaluation=self.eval.canonical_axes,
            seeds=(self.seed,),
        )[0]

    @property
    def n_steps(self) -> int:
        """The optimiser steps, see `n_steps`."""
        return n_steps(self.optim, self.scenes)

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
    def static_shape(self) -> Hashable:
        """What trials of one pack must share: the program of a step, the steps and the evaluation steps."""
        return (self.n_steps, *self.program, _shared_axes(self.eval))

    @property
    def program(self) -> tuple[Hashable, ...]:
        """What decides the cost of a step: array shapes and batch size.

        These are the axes that are not declared `per_member`, but those of `eval`. Dropout is: its rates may differ,
        but a pack without dropout has a shorter program.
        """
        shared = map(_shared_axes, (self.scenes, self.model, self.optim))
        return (self.model.drops, *shared)


def _shared_axes(section: ConfigSection) -> Hashable:
    return section.form().shared_of(section.__dict__)


def n_steps(optim: OptimConfig, scenes: SceneConfig) -> int:
    """Return the optimiser steps in either arm; a last partial batch of fixed epochs is filled, not dropped."""
    if optim.steps is not None:
        return optim.steps
    assert optim.epochs is not None
    return math.ceil(optim.epochs * scenes.n_examples / optim.batch_size)


def trial_ids(*, scenes: str, model: str, optim: str, evaluation: str, seeds: Iterable[int]) -> list[str]:
    """Return the identities of the trials with these `canonical_axes` of their sections and one of `seeds` each.

    128 bits in hex: the beginning of SHA-256 over canonical JSON (sorted keys, no spaces) of `TRAINER_VERSION` and of
    every axis that is not neutral. What the trials share is hashed once.
    """
    axes = f"{evaluation}{model}{optim}{scenes}"  # in the order of their keys, all of them before "seed"
    shared = hashlib.sha256(f'{{"trainer_version":{TRAINER_VERSION},"trial":{{{axes}"seed":'.encode())
    ids = []
    for seed in seeds:
        whole = shared.copy()
        whole.update(b"%d}}" % seed)
        ids.append(whole.hexdigest()[:32])
    return ids
