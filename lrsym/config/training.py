"""How a trial is trained and when it is evaluated. Sources as in `lrsym.config.section`."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from lrsym.config.section import ConfigSection, axis_field

MAX_STEPS = 10**9
"""Bounds counts of steps far beyond any use, so that a typing error does not become an overflow."""

MAX_EPOCHS, MAX_BATCH = 10**6, 2**20
"""The same of passes over the training set, and of the scenes in a batch."""


class OptimConfig(ConfigSection):
    """AdamW, the batches, and how long to train."""

    section = "optim"

    learning_rate: float = axis_field(
        1e-3, "", "recipe (paper: 1e-4)", "AdamW's rate after warm-up.", per_member=True, gt=0
    )
    weight_decay: float = axis_field(
        0.2, "", "paper", "Decoupled decay of the parameters, the temperature left out.", per_member=True, ge=0
    )
    decay_biases: bool = axis_field(
        True,
        "",
        "recipe (CLIP: false)",
        "Whether weight_decay is for biases and the gains of LayerNorm too.",
        neutral=True,
        per_member=True,
    )
    decay_temperature: bool = axis_field(
        False,
        "",
        "recipe (code base the paper started from: true)",
        "Whether weight_decay is for the temperature too: the log of the logit scale then decays towards 0.",
        neutral=False,
        per_member=True,
    )
    beta1: float = axis_field(0.9, "", "recipe", "AdamW's first-moment decay.", per_member=True, ge=0, lt=1)
    beta2: float = axis_field(0.98, "", "recipe", "AdamW's second-moment decay.", per_member=True, ge=0, lt=1)
    epsilon: float = axis_field(1e-6, "", "CLIP", "Added to AdamW's denominator.", per_member=True, gt=0)
    warmup_steps: int = axis_field(
        100, "steps", "recipe", "Steps over which the rate rises linearly.", per_member=True, ge=0, le=MAX_STEPS
    )
    batch_size: int = axis_field(
        256, "scenes", "recipe (paper: 50)", "Scenes, each with its caption, in a batch.", ge=2, le=MAX_BATCH
    )
    steps: int | None = axis_field(
        3000,
        "steps",
        "recipe",
        "Fixed-step arm: optimiser steps. Give this or epochs.",
        per_member=True,
        ge=1,
        le=MAX_STEPS,
    )
    epochs: int | None = axis_field(
        None,
        "epochs",
        "paper: 10,000",
        "Fixed-epoch arm: passes over the training set; steps follow from its size.",
        per_member=True,
        ge=1,
        le=MAX_EPOCHS,
    )
    replacement: bool = axis_field(
        True, "", "recipe", "Draw batches with replacement; without, each epoch is one shuffled pass.", per_member=True
    )
    multi_positive: bool = axis_field(
        False,
        "",
        "ours (CLIP: false)",
        "Whether captions that are true of a scene beside its own are left out of the loss, not called false; no "
        "decoder has a use for it.",
        neutral=False,
    )
    temperature: float = axis_field(
        0.07, "", "CLIP", "Temperature at the start; learned, logit scale at most 100.", per_member=True, gt=0
    )

    @model_validator(mode="before")
    @classmethod
    def _one_arm(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("epochs") is not None and "steps" not in given:
            return {**given, "steps": None}
        return given

    @model_validator(mode="after")
    def _rules(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError(
                f"give either steps (fixed-step arm) or epochs (fixed-epoch arm), got steps {self.steps} "
                f"and epochs {self.epochs}; leave one of them out"
            )
        return self


class EvalConfig(ConfigSection):
    """When accuracies are measured during training, and what counts as reached."""

    section = "eval"

    schedule: Literal["log", "linear"] = axis_field(
        "log", "", "ours", "Spacing of the evaluations: log from 1 % of the steps to the last, or linear."
    )
    points: int = axis_field(20, "evaluations", "ours", "Evaluations along a learning curve.", ge=1, le=1000)
    mechanism: Literal["last", "points"] = axis_field(
        "last",
        "",
        "ours",
        "When ablations, terms and measures are taken: after the last step, or at every evaluation besides.",
        neutral="last",
    )
    threshold: float = axis_field(
        0.9, "", "ours", "Accuracy that counts as reached in steps-to-threshold.", per_member=True, gt=0, le=1
    )
