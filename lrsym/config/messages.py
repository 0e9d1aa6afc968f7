"""Messages about axes: the rule, the value, the remedy."""

import difflib
import math
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError

from lrsym.config.axes import Axis, axes
from lrsym.config.model import SHORTHANDS
from lrsym.config.section import ConfigSection
from lrsym.config.trial import Trial
from lrsym.errors import UsageError
from lrsym.toml_source import fits_64_bits, show

_SENTENCES = {"preset": "Sets the axes of one of the paper's models", "init": "Sets the axes of where training starts"}
PRESETS = {
    f"model.{name}": Axis(
        section="model", name=name, type=str, optional=True, default=None, unit="", source="paper",
        sentence=_SENTENCES[name], derived="", neutral=None, bounds=" | ".join(words),
    )
    for name, words in SHORTHANDS.items()
}  # fmt: skip
"""No axes: keys of sweep files that stand for several of them."""

MEANINGS = {
    "seeds": "replicates", "n_seeds": "replicates", "repetitions": "replicates", "runs": "replicates",
    "title": "name", "rule": "stop", "early_stopping": "stop", "pruner": "stop",
    "trials": "budget", "n_trials": "budget", "max_trials": "budget", "algorithm": "sampler", "optimizer": "sampler",
    "metric": "maximise", "objective": "maximise", "goal": "maximise",
    "lr": "optim.learning_rate", "eta": "optim.learning_rate", "rate": "optim.learning_rate",
    "wd": "optim.weight_decay", "decay": "optim.weight_decay", "l2": "optim.weight_decay",
    "batch": "optim.batch_size", "bs": "optim.batch_size", "warmup": "optim.warmup_steps", "eps": "optim.epsilon",
    "iterations": "optim.steps", "iters": "optim.steps", "n_steps": "optim.steps", "max_steps": "optim.steps",
    "num_steps": "optim.steps", "n_epochs": "optim.epochs", "num_epochs": "optim.epochs", "passes": "optim.epochs",
    "tau": "optim.temperature", "temp": "optim.temperature", "logit_scale": "optim.temperature",
    "width": "model.d_model", "dim": "model.d_model", "d": "model.d_model", "hidden": "model.d_model",
    "hidden_size": "model.d_model", "hidden_dim": "model.d_model", "embed_dim": "model.d_model",
    "heads": "model.n_heads", "num_heads": "model.n_heads", "n_head": "model.n_heads",
    "layers": "model.vision_blocks", "n_layers": "model.vision_blocks", "num_layers": "model.vision_blocks",
    "depth": "model.vision_blocks", "blocks": "model.vision_blocks",
    "mlp": "model.d_mlp", "d_ff": "model.d_mlp", "ffn": "model.d_mlp", "mlp_dim": "model.d_mlp",
    "drop": "model.dropout", "dropout_rate": "model.dropout", "norm": "model.layer_norm", "ln": "model.layer_norm",
    "architecture": "model.kind", "type": "model.kind", "pos_embed": "model.positions",
    "labels": "scenes.n_pair_labels", "classes": "scenes.n_pair_labels", "n_pair": "scenes.n_pair_labels",
    "label_diversity": "scenes.n_pair_labels", "n_tot": "scenes.n_labels", "n_val": "scenes.n_heldout_labels",
    "heldout": "scenes.n_heldout_labels", "layouts": "scenes.layouts_per_pair", "n_2": "scenes.layouts_per_pair",
    "layout_diversity": "scenes.layouts_per_pair", "n_1": "scenes.positions_per_label",
    "image_size": "scenes.n_positions", "length": "scenes.n_positions", "rows": "scenes.n_rows",
    "objects": "scenes.n_objects", "evaluations": "eval.points", "n_evals": "eval.points",
}  # fmt: skip
"""What others call a key of a sweep file; spelling does not lead from one to the other."""

AXES = {axis.key: axis for axis in axes() if axis.section} | PRESETS


def axes_set_by(key: str) -> list[str]:
    """Return the keys of the axes that `key` of a sweep file sets: itself, but for a preset."""
    if key not in PRESETS:
        return [key]
    return [*dict.fromkeys(f"model.{name}" for words in SHORTHANDS[AXES[key].name].values() for name in words)]


SECTIONS = tuple(dict.fromkeys(axis.section for axis in AXES.values()))


def refusal(values: Mapping[str, Any], error: ValidationError) -> UsageError:
    """Return what is wrong with `values`, by dotted key, of which pydantic made no trial; the first mistake alone."""
    for key in values:
        if key not in AXES and key != "seed":
            return UsageError(f"unknown key {show(key)}; {nearest_axis(str(key)) or '`lrsym axes` lists the keys'}")
    details = error.errors(include_url=False)[0]
    section, *within = details["loc"]
    if section == "seed":
        return UsageError(wrong_value(next(axis for axis in axes() if axis.key == "seed"), details["input"]))
    return UsageError(wrong_section(str(section), {**details, "loc": within})[1])


def hint_by_meaning(key: str, known: Collection[str]) -> str:
    """Return the one of `known` that `key` is another word for as `did you mean ...?`, empty where it is none."""
    meant = MEANINGS.get(plain(key))
    return f"did you mean {meant}?" if meant in known else ""


def plain(key: str) -> str:
    """Return the last word of `key` as MEANINGS spells it."""
    return key.rpartition(".")[2].lower().replace("-", "_")


def wrong_value(axis: Axis, value: Any) -> str:
    """Return the message for a `value` that `axis` does not take, whatever else stands in the file."""
    remedy = _hint(axis, value) or "change it"
    default = axis.derived or ("" if axis.default is None else show(axis.default))
    instead = f", or leave the key out for its default, {default}" if default else ""
    return f"{axis.key} must be {_rule(axis)}, got {show(value)}; {remedy}{instead} ({axis.sentence.rstrip('.')})"


def wrong_section(section: str, details: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return the keys involved, the likeliest first, and the message, from pydantic's first error about a `section`."""
    if details["loc"]:
        axis = AXES[f"{section}.{details['loc'][0]}"]
        return [axis.key], wrong_value(axis, details["input"])
    text = str(details["ctx"]["error"])
    names = "|".join(axis.name for axis in AXES.values() if axis.section == section)
    full = re.sub(rf"\b({names})\b", rf"{section}.\1", text)
    return re.findall(rf"\b{section}\.(?:{names})\b", full), full


@cache
def section_type(section: str) -> type[ConfigSection]:
    """Return the class of the trial's `section`."""
    annotation = Trial.model_fields[section].annotation
    assert isinstance(annotation, type)
    assert issubclass(annotation, ConfigSection)
    return annotation


def nearest_axis(key: str) -> str:
    """Return the axis that `key` may stand for as `did you mean ...?`, empty where none is near."""
    near = _near(key)
    return f"did you mean {near}?" if near else ""


def nearest_axis_column(name: str) -> str:
    """Return the column of the axis that `name` may stand for, by its spelling or meaning, empty where none is."""
    axis = AXES.get(_near(name))
    return axis.name if axis is not None and axis.key not in PRESETS else ""


def _near(key: str) -> str:
    """Return the key of the axis, else the section, that `key` may stand for, empty where none is near."""
    bare = {axis.name: axis.key for axis in AXES.values()}
    tail = key.rpartition(".")[2]
    if tail in bare:
        return bare[tail]
    if (meant := MEANINGS.get(plain(key))) in AXES:
        return meant
    for word, known in ((key, {name: name for name in AXES}), (tail, bare), (key, {name: name for name in SECTIONS})):
        if near := difflib.get_close_matches(word, [*known], n=1):
            return known[near[0]]
    return ""


def _rule(axis: Axis) -> str:
    if axis.type is str:
        choices = [show(choice) for choice in axis.bounds.split(" | ")]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    word = {int: "a whole number", float: "a number", bool: "true or false"}[axis.type]
    return f"{word} {axis.bounds.replace(', ', ' and ')}".strip()


def _hint(axis: Axis, value: Any) -> str:
    """Return what to write instead of `value` where that can be guessed, else an empty text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "give a finite one"
    if axis.type is int and isinstance(value, float) and value.is_integer() and fits_64_bits(int(value)):
        return f"write {int(value)}"
    if axis.type is bool and str(value).lower() in ("0", "1", "true", "false"):
        return f"write {'true' if str(value).lower() in ('1', 'true') else 'false'}"
    if not isinstance(value, str):
        return ""
    if axis.type is str:
        near = difflib.get_close_matches(value, axis.bounds.split(" | "), n=1)
        return f"write {show(near[0])}" if near else ""
    return f"write {value} without quotes" if re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]+)?", value) else ""
