"""The scenes of a trial: which there are, and which of them are trained on. Sources as in `lrsym.config.section`."""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from lrsym.config.geometry import layouts, mean_true
from lrsym.config.section import ConfigSection, axis_field

MAX_PIXELS = 64
"""Bounds the pixels of an image far beyond any use, so that a typing error does not become an overflow."""

MAX_TRIPLE_SCENES = 20_000_000
"""Bounds the scenes of three objects. All of them are shuffled for each trial: so many take three seconds and half a
GB."""

HALF_LAYOUTS = 6
"""Number of layouts of each half-seen pair: with the paper's 15 and 5 labels the split is as large as the unseen
pairs."""


class SceneConfig(ConfigSection):
    """Which scenes there are, and which of them are trained on."""

    section = "scenes"

    n_positions: int = axis_field(
        10, "pixels", "paper", "Length of the one-dimensional image; columns of a grid.", ge=2, le=64
    )
    n_labels: int = axis_field(
        20,
        "labels",
        "paper (N_tot)",
        "All labels; those in no pair are seen alone.",
        derived="n_pair_labels + n_heldout_labels",
        ge=2,
        le=512,
    )
    n_pair_labels: int = axis_field(
        15,
        "labels",
        "paper (N_pair)",
        "Label diversity: labels whose ordered pairs are all trained.",
        per_member=True,
        ge=2,
        le=512,
    )
    n_heldout_labels: int = axis_field(
        5,
        "labels",
        "paper (N_val)",
        "Labels trained alone only; their pairs are the unseen pairs.",
        per_member=True,
        ge=0,
        le=512,
    )
    positions_per_label: int = axis_field(
        5,
        "scenes",
        "paper (n_1)",
        "Single-object scenes trained for each label, at distinct positions.",
        per_member=True,
        ge=1,
    )
    layouts_per_pair: int = axis_field(
        10,
        "scenes",
        "paper (n_2)",
        "Layout diversity: scenes trained for each ordered pair, with distinct layouts.",
        per_member=True,
        ge=1,
    )
    coverage: float = axis_field(
        1.0,
        "0..1",
        "ours",
        "Share of the pairs of the pair labels that are trained, drawn at random.",
        per_member=True,
        neutral=1.0,
        gt=0,
        le=1,
    )
    pair_orders: Literal["both", "one"] = axis_field(
        "both",
        "",
        "ours",
        "Orders in which a pair of labels is trained; one: either a left of b or b left of a, drawn at random.",
        per_member=True,
        neutral="both",
    )
    captions: Literal["left", "both", "above", "left+above"] = axis_field(
        "left",
        "",
        "paper (left, both), ours (above)",
        "Which relations the captions name: left of, left and right of (both), above, left of and above.",
    )
    n_rows: int = axis_field(1, "pixels", "paper: 4", "Rows of the image; 1: one-dimensional.", neutral=1, ge=1, le=32)
    n_objects: int = axis_field(
        2, "objects", "paper", "Objects of the scenes that are no single-object scenes.", neutral=2, ge=2, le=3
    )
    label_captions: bool = axis_field(
        False,
        "",
        "ours",
        "Train scenes of several objects with the caption of each of their labels alone as well.",
        per_member=True,
        neutral=False,
    )
    heldout_partners: int = axis_field(
        0,
        "scenes",
        "ours",
        "Training scenes of each held-out label beside a pair label, with the caption of the held-out label alone.",
        per_member=True,
        neutral=0,
        ge=0,
    )

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "n_labels" not in given:
            default = cls.defaults()
            paired = given.get("n_pair_labels", default["n_pair_labels"])
            heldout = given.get("n_heldout_labels", default["n_heldout_labels"])
            if type(paired) is int and type(heldout) is int:
                return {**given, "n_labels": paired + heldout}
        return given

    @model_validator(mode="after")
    def _rules_of_labels(self) -> Self:
        if self.n_labels < self._n_used:
            raise ValueError(
                f"n_labels must be at least n_pair_labels + n_heldout_labels = {self._n_used}, got {self.n_labels}; "
                "raise it or leave it out"
            )
        if self.n_pixels > MAX_PIXELS:
            raise ValueError(
                f"n_rows x n_positions must be at most {MAX_PIXELS}, got {self.n_rows} x {self.n_positions}; lower one"
            )
        if self.n_rows == 1 and "above" in self.captions:
            raise ValueError(f"captions {self.captions} need an image of several rows, got n_rows 1; raise it")
        if self.n_pair_labels < self.n_objects:
            raise ValueError(
                f"n_pair_labels must be at least n_objects = {self.n_objects}, got {self.n_pair_labels}; raise it"
            )
        return self

    @model_validator(mode="after")
    def _rules_of_layouts(self) -> Self:
        n_layouts = self.n_layouts
        if not n_layouts:
            raise ValueError(
                f"{self.n_objects} objects of which each two stand in a relation of captions {self.captions} have no "
                f"layout on {self._size}; raise n_positions"
            )
        if self.positions_per_label > self.n_pixels:
            raise ValueError(
                f"positions_per_label must be 1..{self.n_pixels} for {self._size}, "
                f"got {self.positions_per_label}; lower it or raise n_positions"
            )
        if self.layouts_per_pair > n_layouts:
            raise ValueError(
                f"layouts_per_pair must be 1..{n_layouts} for {self._size}, "
                f"got {self.layouts_per_pair}; lower it or raise n_positions"
            )
        if self.n_objects > 2 and (n_scenes := math.perm(self._n_used, self.n_objects) * n_layouts) > MAX_TRIPLE_SCENES:
            raise ValueError(
                f"three objects of {self._n_used} labels in {n_layouts:,} layouts make {n_scenes:,} scenes, more than "
                f"{MAX_TRIPLE_SCENES:,}; lower n_pair_labels, n_positions or n_rows"
            )
        if self.coverage < 1 and not self.n_trained_pairs:
            raise ValueError(
                f"coverage must leave at least one of {self._n_pair_choices} pairs to train, got {self.coverage:g}; "
                f"raise it to {1 / self._n_pair_choices:.3g} or more"
            )
        return self

    @model_validator(mode="after")
    def _rules_of_partners(self) -> Self:
        if self.heldout_partners and self.n_objects > 2:
            raise ValueError(
                f"heldout_partners are scenes of two objects, got n_objects {self.n_objects}; lower it, or leave "
                "heldout_partners out"
            )
        if self.heldout_partners > (most := 2 * self.n_pair_labels * max(0, self.n_layouts - HALF_LAYOUTS)):
            raise ValueError(
                f"heldout_partners must be 0..{most} for {self.n_pair_labels} pair labels and {self.n_layouts} layouts,"
                f" of which {HALF_LAYOUTS} are kept for half-seen pairs, got {self.heldout_partners}; lower it or "
                "raise n_positions"
            )
        return self

    @property
    def _n_used(self) -> int:
        return self.n_pair_labels + self.n_heldout_labels

    @property
    def _size(self) -> str:
        return f"{self.n_rows} rows of " * (self.n_rows > 1) + f"{self.n_positions} positions"

    @property
    def n_pixels(self) -> int:
        """The number of pixels of the image."""
        return self.n_rows * self.n_positions

    @property
    def layouts(self) -> tuple[tuple[int, ...], ...]:
        """Every layout of `n_objects` objects, as pixels."""
        return layouts(self.n_positions, self.n_rows, self.n_objects, self.captions)

    @property
    def n_layouts(self) -> int:
        """The number of layouts of `n_objects` objects; two objects in one row: pairs of positions p < q."""
        return len(layouts(self.n_positions, self.n_rows, self.n_objects, self.captions))

    @property
    def n_examples(self) -> int:
        """The size of the training set, in scenes with a caption.

        A scene of which several captions are true counts for each; of a grid with two relations, where that depends on
        the layout, the mean over layouts counts.
        """
        true = mean_true(self.n_positions, self.n_rows, self.n_objects, self.captions)
        of_each = true + self.n_objects * self.label_captions
        partners = self.n_heldout_labels * self.heldout_partners
        singles = self.n_labels * self.positions_per_label + partners
        return singles + round(self.n_trained_pairs * self.layouts_per_pair * of_each)

    @property
    def n_trained_pairs(self) -> int:
        """How many ordered pairs (with three objects: triples) are in the training set."""
        return round(self.coverage * self._n_pair_choices)

    @property
    def _n_pair_choices(self) -> int:
        """How many pairs coverage is a share of: ordered ones, or each pair in its one order."""
        count = math.perm if self.pair_orders == "both" else math.comb
        return count(self.n_pair_labels, self.n_objects)
