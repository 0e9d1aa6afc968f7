"""Trials as frozen values: every axis with type, bounds, default and source, and the identity made from them.

Validation, Parquet columns, the documentation page and the command line all follow from the fields below
(through `lrsym.axes`), so an axis is added here and in its one user.

Sources named below: "paper" is arXiv:2601.12809; "recipe" is our own setting that shows the mechanism in
seconds (docs/decisions/recipe.md).
"""

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lrsym.layouts import layouts, mean_true

TRAINER_VERSION = 1
"""Part of every trial_id. Raise it by hand when the same configuration may give other rows."""

MAX_CELLS, MAX_WIDTH, MAX_BLOCKS, MAX_STEPS = 64, 8192, 64, 10**9
"""Far beyond any use; they keep a typing error from becoming an overflow."""

Value = int | float | str | bool | None


def _axis(
    default: Any, unit: str, source: str, sentence: str, derived: str = "", neutral: Any = None, **bounds: Any
) -> Any:
    """One axis: default, unit, source and sentence; `derived` names the rule behind a computed default.

    `neutral` belongs to an axis that came after the first rows: the value that does what the trainer did without
    the axis. It is not part of the identity, so it must never change, whatever becomes of the default.
    """
    extra: dict[str, Any] = {"unit": unit, "source": source, "derived": derived, "neutral": neutral}
    return Field(default=default, description=sentence, json_schema_extra=extra, **bounds)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Scenes(_Part):
    """What is seen: the scenes, and which of them are trained on."""

    n_positions: int = _axis(
        10, "pixels", "paper", "Length of the one-dimensional image; columns of a grid.", ge=2, le=64
    )
    n_labels: int = _axis(
        20,
        "labels",
        "paper (N_tot)",
        "All labels; those in no pair are seen alone.",
        derived="n_pair_labels + n_heldout_labels",
        ge=2,
        le=512,
    )
    n_pair_labels: int = _axis(
        15, "labels", "paper (N_pair)", "Label diversity: labels whose ordered pairs are all trained.", ge=2, le=512
    )
    n_heldout_labels: int = _axis(
        5, "labels", "paper (N_val)", "Labels trained alone only; their pairs are the unseen pairs.", ge=0, le=512
    )
    positions_per_label: int = _axis(
        5, "scenes", "paper (n_1)", "Single-object scenes trained for each label, at distinct positions.", ge=1
    )
    layouts_per_pair: int = _axis(
        10,
        "scenes",
        "paper (n_2)",
        "Layout diversity: scenes trained for each ordered pair, with distinct layouts.",
        ge=1,
    )
    coverage: float = _axis(
        1.0,
        "0..1",
        "ours",
        "Share of the pairs of the pair labels that are trained, drawn at random.",
        neutral=1.0,
        gt=0,
        le=1,
    )
    pair_orders: Literal["both", "one"] = _axis(
        "both",
        "",
        "ours",
        "Orders in which a pair of labels is trained; one: either a left of b or b left of a, drawn at random.",
        neutral="both",
    )
    captions: Literal["left", "both", "above", "left+above"] = _axis(
        "left",
        "",
        "paper (left, both), ours (above)",
        "Which relations the captions name: left of, left and right of (both), above, left of and above.",
    )
    n_rows: int = _axis(1, "pixels", "paper: 4", "Rows of the image; 1: one-dimensional.", neutral=1, ge=1, le=32)
    n_objects: int = _axis(
        2, "objects", "paper", "Objects of the scenes that are no single-object scenes.", neutral=2, ge=2, le=3
    )

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "n_labels" not in given:
            parts = [given.get(k, cls.model_fields[k].default) for k in ("n_pair_labels", "n_heldout_labels")]
            if all(type(part) is int for part in parts):
                return {**given, "n_labels": sum(parts)}
        return given

    @model_validator(mode="after")
    def _rules(self) -> Self:
        used = self.n_pair_labels + self.n_heldout_labels
        if self.n_labels < used:
            raise ValueError(
                f"n_labels must be at least n_pair_labels + n_heldout_labels = {used}, got {self.n_labels}; "
                "raise it or leave it out"
            )
        if self.n_cells > MAX_CELLS:
            raise ValueError(
                f"n_rows x n_positions must be at most {MAX_CELLS}, got {self.n_rows} x {self.n_positions}; lower one"
            )
        if self.n_rows == 1 and "above" in self.captions:
            raise ValueError(f"captions {self.captions} need an image of several rows, got n_rows 1; raise it")
        if self.n_pair_labels < self.n_objects:
            raise ValueError(
                f"n_pair_labels must be at least n_objects = {self.n_objects}, got {self.n_pair_labels}; raise it"
            )
        size = f"{self.n_rows} rows of " * (self.n_rows > 1) + f"{self.n_positions} positions"
        if self.positions_per_label > self.n_cells:
            raise ValueError(
                f"positions_per_label must be 1..{self.n_cells} for {size}, "
                f"got {self.positions_per_label}; lower it or raise n_positions"
            )
        if not self.n_layouts:
            raise ValueError(
                f"{self.n_objects} objects of which each two stand in a relation of captions {self.captions} have no "
                f"layout on {size}; raise n_positions"
            )
        if self.layouts_per_pair > self.n_layouts:
            raise ValueError(
                f"layouts_per_pair must be 1..{self.n_layouts} for {size}, "
                f"got {self.layouts_per_pair}; lower it or raise n_positions"
            )
        if not self.n_trained_pairs:
            raise ValueError(
                f"coverage must leave at least one of {self._n_pair_choices} pairs to train, got {self.coverage:g}; "
                f"raise it to {1 / self._n_pair_choices:.3g} or more"
            )
        return self

    @property
    def n_cells(self) -> int:
        """Pixels of the image."""
        return self.n_rows * self.n_positions

    @property
    def layouts(self) -> tuple[tuple[int, ...], ...]:
        """Every layout of `n_objects` objects, as cells."""
        return layouts(self.n_positions, self.n_rows, self.n_objects, self.captions)

    @property
    def n_layouts(self) -> int:
        """Layouts of `n_objects` objects; two objects in one row: pairs of positions p < q."""
        return len(self.layouts)

    @property
    def n_examples(self) -> int:
        """Size of the training set, in scenes with a caption: a scene of which several captions are true counts for
        each; of a grid with two relations, where that depends on the layout, the mean over layouts."""
        true = mean_true(self.n_positions, self.n_rows, self.n_objects, self.captions)
        return self.n_labels * self.positions_per_label + round(self.n_trained_pairs * self.layouts_per_pair * true)

    @property
    def n_trained_pairs(self) -> int:
        """Ordered pairs (with three objects: triples) in the training set."""
        return round(self.coverage * self._n_pair_choices)

    @property
    def _n_pair_choices(self) -> int:
        """Pairs that coverage is a share of: ordered ones, or each pair in its one order."""
        count = math.perm if self.pair_orders == "both" else math.comb
        return count(self.n_pair_labels, self.n_objects)


PRESETS: dict[str, dict[str, Value]] = {
    "simplified": {
        "vision_blocks": 1, "text_blocks": 1, "repeats": 1, "d_mlp": 0, "layer_norm": "none", "dropout": 0.0,
    },
    "full": {
        "vision_blocks": 2, "text_blocks": 2, "repeats": 2, "d_mlp": 512, "layer_norm": "pre", "dropout": 0.1,
    },
}  # fmt: skip
"""Axes of a model that the key `model.preset` sets where they are not given themselves: the paper's two models."""


class Model(_Part):
    """The encoders, or the one decoder; by default the paper's simplified model: one attention block, no LayerNorm, no
    MLP."""

    kind: Literal["contrastive", "autoregressive"] = _axis(
        "contrastive",
        "",
        "paper",
        "Vision and text encoder with a contrastive loss, or one causal decoder that reads the image and writes the "
        "caption and is tested on at most 1,000 scenes of each validation set.",
        neutral="contrastive",
    )
    d_model: int = _axis(128, "", "paper", "Width of embeddings and residual stream.", ge=1, le=MAX_WIDTH)
    n_heads: int = _axis(4, "heads", "paper", "Attention heads of each encoder; must divide d_model.", ge=1)
    embedding_scale: float = _axis(
        math.sqrt(128),
        "",
        "code base the paper started from",
        'Multiplier of the token embeddings before positions are added; "sqrt_d_model" or a number.',
        derived="sqrt(d_model)",
        gt=0,
    )
    init_token_std: float = _axis(0.02, "", "recipe", "Standard deviation of token embeddings at the start.", ge=0)
    init_position_std: float = _axis(
        0.02, "", "recipe", "Standard deviation of position embeddings at the start.", ge=0
    )
    init_weight_gain: float = _axis(
        1.0, "", "recipe", "Attention and projection weights start at N(0, gain / sqrt(d_model)).", ge=0
    )

    vision_blocks: int = _axis(1, "blocks", "paper", "Blocks of the vision encoder.", neutral=1, ge=1, le=MAX_BLOCKS)
    text_blocks: int = _axis(
        1, "blocks", "paper", "Blocks of the text encoder, or of the decoder.", neutral=1, ge=1, le=MAX_BLOCKS
    )
    repeats: int = _axis(
        1,
        "",
        "paper (M_rep)",
        "How often each encoder's stack of blocks is applied, with the same weights.",
        neutral=1,
        ge=1,
        le=MAX_BLOCKS,
    )
    d_mlp: int = _axis(
        0, "", "paper: 512", "Width of the MLP (GELU) after each attention; 0: no MLP.", neutral=0, ge=0, le=MAX_WIDTH
    )
    layer_norm: Literal["none", "pre", "post"] = _axis(
        "none",
        "",
        "paper (full model; where is not told)",
        "LayerNorm: none, before attention and MLP (and a last one), or after their residual sums.",
        neutral="none",
    )
    dropout: float = _axis(
        0.0,
        "0..1",
        "paper: 0.1",
        "Share of entries dropped in training, from embeddings and from what attention and MLP add.",
        neutral=0.0,
        ge=0,
        lt=1,
    )
    positions: Literal["learned", "rotary"] = _axis(
        "learned", "", "paper", "Learned position embeddings, or rotary turning of queries and keys.", neutral="learned"
    )

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "preset" in given:
            preset, given = given["preset"], {key: value for key, value in given.items() if key != "preset"}
            if preset not in PRESETS:
                raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset}; change it")
            given = PRESETS[preset] | given
        if isinstance(given, Mapping) and given.get("positions") == "rotary" and "init_position_std" not in given:
            given = {**given, "init_position_std": 0.0}
        if isinstance(given, Mapping) and given.get("embedding_scale", "sqrt_d_model") == "sqrt_d_model":
            width = given.get("d_model", cls.model_fields["d_model"].default)
            if type(width) is int and 0 < width <= MAX_WIDTH:
                return {**given, "embedding_scale": math.sqrt(width)}
        return given

    @model_validator(mode="after")
    def _rules(self) -> Self:
        if self.d_model % self.n_heads:
            raise ValueError(
                f"n_heads must divide d_model, got {self.n_heads} heads for width {self.d_model}; "
                "change one of them (several model sizes: move both axes together with [[zip]])"
            )
        if self.kind == "autoregressive" and self.vision_blocks != 1:
            raise ValueError(
                f"vision_blocks must be 1 with kind autoregressive, which has no vision encoder, "
                f"got {self.vision_blocks}; set it to 1; text_blocks is the decoder's depth"
            )
        if self.positions == "rotary" and self.d_model // self.n_heads % 2:
            raise ValueError(
                f"rotary positions need heads of even width, got d_model / n_heads = {self.d_model // self.n_heads}; "
                "change one of them"
            )
        if self.positions == "rotary" and self.init_position_std:
            raise ValueError(
                f"init_position_std must be 0 with rotary positions, which have no embeddings, "
                f"got {self.init_position_std:g}; leave it out"
            )
        return self


class Optim(_Part):
    """AdamW, the batches, and how long to train."""

    learning_rate: float = _axis(1e-3, "", "recipe (paper: 1e-4)", "AdamW's rate after warm-up.", gt=0)
    weight_decay: float = _axis(0.2, "", "paper", "Decoupled decay of every parameter but the temperature.", ge=0)
    beta1: float = _axis(0.9, "", "recipe", "AdamW's first-moment decay.", ge=0, lt=1)
    beta2: float = _axis(0.98, "", "recipe", "AdamW's second-moment decay.", ge=0, lt=1)
    epsilon: float = _axis(1e-6, "", "CLIP", "Added to AdamW's denominator.", gt=0)
    warmup_steps: int = _axis(100, "steps", "recipe", "Steps over which the rate rises linearly.", ge=0, le=MAX_STEPS)
    batch_size: int = _axis(256, "scenes", "recipe (paper: 50)", "Scenes, each with its caption, in a batch.", ge=2)
    steps: int | None = _axis(
        3000, "steps", "recipe", "Fixed-step arm: optimiser steps. Give this or epochs.", ge=1, le=MAX_STEPS
    )
    epochs: int | None = _axis(
        None,
        "epochs",
        "paper: 10,000",
        "Fixed-epoch arm: passes over the training set; steps follow from its size.",
        ge=1,
    )
    replacement: bool = _axis(
        True, "", "recipe", "Draw batches with replacement; without, each epoch is one shuffled pass."
    )
    temperature: float = _axis(0.07, "", "CLIP", "Temperature at the start; learned, logit scale at most 100.", gt=0)

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


class Eval(_Part):
    """When accuracies are measured during training, and what counts as reached."""

    schedule: Literal["log", "linear"] = _axis(
        "log", "", "ours", "Spacing of the evaluations: log from 1 % of the steps to the last, or linear."
    )
    points: int = _axis(20, "evaluations", "ours", "Evaluations along a learning curve.", ge=1, le=1000)
    threshold: float = _axis(0.9, "", "ours", "Accuracy that counts as reached in steps-to-threshold.", gt=0, le=1)


class Trial(_Part):
    """One fully resolved configuration, seed included."""

    scenes: Scenes = Scenes()
    model: Model = Model()
    optim: Optim = Optim()
    eval: Eval = Eval()
    seed: int = _axis(0, "", "", "Root of every random stream of the trial; seeds are replicates.", ge=0, lt=2**63)

    @classmethod
    def from_axes(cls, values: Mapping[str, Any]) -> Self:
        """The trial with `values` by dotted key (`"optim.steps"`, `"seed"`), anything else at its default.

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
        """Every axis by dotted key, in the order of their definition."""
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
        """Optimiser steps in either arm; a last partial batch of the fixed-epoch arm is filled, not dropped."""
        if self.optim.steps is not None:
            return self.optim.steps
        assert self.optim.epochs is not None
        return math.ceil(self.optim.epochs * self.scenes.n_examples / self.optim.batch_size)

    @property
    def evaluation_steps(self) -> tuple[int, ...]:
        """Steps after which the trial is evaluated, ascending; the last step is always one of them."""
        last, points = self.n_steps, self.eval.points
        if self.eval.schedule == "linear":
            steps = {round(last * (i + 1) / points) for i in range(points)}
        else:
            first = max(1.0, last / 100)
            steps = {round(last * (first / last) ** (i / max(1, points - 1))) for i in range(points)}
        return tuple(sorted((steps | {last}) - {0}))

    @property
    def static_shape(self) -> tuple[Value, ...]:
        """What trials of one pack must share: array shapes, batch size, steps and evaluation steps."""
        s, m, o, e = self.scenes, self.model, self.optim, self.eval
        return (
            s.n_positions,
            s.n_rows,
            s.n_objects,
            s.n_labels,
            s.captions,
            m.kind,
            m.d_model,
            m.n_heads,
            m.vision_blocks,
            m.text_blocks,
            m.repeats,
            m.d_mlp,
            m.layer_norm,
            m.dropout > 0,
            m.positions,
            o.batch_size,
            self.n_steps,
            e.schedule,
            e.points,
        )


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
