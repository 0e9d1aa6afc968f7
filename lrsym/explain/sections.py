"""What the page about one trial says, section by section."""

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from lrsym.config.axes import axes
from lrsym.config.trial import Trial
from lrsym.explain import attention_charts, charts, term_charts, term_maps
from lrsym.explain.frames import TOLERANCE, Explanation
from lrsym.results.analysis.phases import phases
from lrsym.results.plots import theme
from lrsym.vocabulary import METRICS, SCORE_TERMS, SPLITS

_MAX_CAPTIONS = 2
"""Captions of a scene that are described one by one; of more, only how many win."""

_TRUE_AND_SWAP = (("text", "score"), ("other", "other_score"))

_READOUT_TEXT = (
    "Logits of the query of [CLS] in the first block, a strip for each head, all on one colour scale. Above: terms of "
    "the key's position; below: terms of the key's token; at the right their sums, which do not depend on how the "
    "model happens to name its components. Colours grow with the square root of a logit, so that small ones can be "
    "seen."
)
_MAPS_TEXT = (
    "A row and a colour scale (square root, centred on zero) for each head. The query [CLS], the top row of a map, is "
    "the one that a single block reads out; bg is the background. Of very many labels, a regular selection is shown."
)
_CONTRIBUTIONS_TEXT = (
    "Bars: what each term adds to [CLS]'s logit on each key, blue for terms of its token, orange for terms of its "
    "position; line across: their sum. Grey: the attention that follows. In brackets: the label that stands on a pixel."
)
_NO_TERMS_TEXT = (
    "The first block of this vision encoder does not read token plus position embeddings themselves (a LayerNorm "
    "stands before it, or its positions are rotary), so its logits are not sums of the six terms: there are neither "
    "maps nor contributions."
)
_DIFFERENCE_TEXT = (
    "The model of this page has other accuracies than the stored row, by up to {:.3f}: it was trained again, and on "
    "other hardware, with another version of torch or in another pack, rounding drifts apart over the steps. The phase "
    "is of the row; the table below and all that follows is of this model."
)
_VISION_TEXT = "How [CLS] attends to each key, 0 to 1. In brackets or on the pixel: its label; images leave [CLS] out."
_TEXT_TEXT = "How [EOT], the token that is read out, attends to the words of captions that are true of the two scenes."


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, and a chart where there is one."""

    heading: str
    text: list[str]
    chart: theme.Chart | None = None


def page_sections(explanation: Explanation, name: str = "light") -> list[Section]:
    """Return the page from top to bottom, its charts in the theme `name`."""
    vision = attention_charts.vision_attention_chart(explanation)
    text = attention_charts.text_attention_chart(explanation)
    sections = [
        Section("What was trained, and how well it does", header_text(explanation), charts.accuracy_chart(explanation)),
        Section("Two mirrored scenes", scene_text(explanation), charts.scenes_chart(explanation)),
        *(_without_terms() if explanation.maps.is_empty() else _term_sections(explanation)),
        *_ablation_sections(explanation),
        Section("Attention of the vision encoder", [_VISION_TEXT], vision),
        Section("Attention of the text encoder", [_TEXT_TEXT], text),
    ]
    return [replace(one, chart=None if one.chart is None else theme.in_theme(one.chart, name)) for one in sections]


def header_text(explanation: Explanation) -> list[str]:
    """Return what the trial is, how it generalises, and what the table of accuracies means."""
    row = explanation.row
    changed, threshold = changed_axes(row), row["threshold"].item()
    listed = ", ".join(f"{key} {theme.format_value(value)}" for key, value in changed.items()) or "none"
    reached = "; ".join(f"{_phase(row, metric, threshold)} by {metric}" for metric in ("order", "global"))
    splits = [split for split in SPLITS if split in {*explanation.accuracies.drop_nulls("value")["split"]}]
    text = [
        f"Seed {row['seed'].item()}. Axes that differ from the defaults: {listed}.",
        f"Phase at {threshold:g}: {reached}.",
        "Rows: " + "; ".join(f"{split}: {SPLITS[split]}" for split in splits) + ".",
        "Columns: " + "; ".join(f"{metric}: {sentence}" for metric, sentence in METRICS.items()) + ".",
    ]
    if explanation.difference > TOLERANCE:
        text.insert(2, _DIFFERENCE_TEXT.format(explanation.difference))
    return text


def changed_axes(row: pl.DataFrame) -> dict[str, object]:
    """Return the axes, by key, that differ from the defaults, without those that follow from others as by default."""
    values = {axis.key: row[axis.name].item() for axis in axes()}
    derived = {axis.key for axis in axes() if axis.derived}
    usual = Trial().values()
    followed = Trial.from_axes({key: value for key, value in values.items() if key not in derived}).values()
    usual |= {key: followed[key] for key in derived}
    return {key: value for key, value in values.items() if value != usual[key] and key != "seed"}


def _phase(row: pl.DataFrame, metric: str, threshold: float) -> str:
    phase = phases(row, x="n_pair_labels", metric=f"unseen_{metric}", threshold=threshold)["phase"].item()
    return phase or "no phase"


def scene_text(explanation: Explanation) -> list[str]:
    """Return whether each caption that is true of a scene wins against its swap; of many captions, how many do."""
    text = [
        "A scene and its mirror image hold the same objects, so only where they stand can tell the captions apart. "
        "Score: cosine of the two embeddings."
    ]
    for number, name in enumerate(charts.SCENE_NAMES):
        rows = explanation.captions.filter(pl.col("scene") == number).to_dicts()
        if len(rows) > _MAX_CAPTIONS:
            won = sum(row["score"] > row["other_score"] for row in rows)
            text.append(f"{name.capitalize()}: {won} of {len(rows)} true captions win against their swap.")
        else:
            text += [f"{name.capitalize()}: {_describe_contest(row)}" for row in rows]
    return text


def _describe_contest(row: dict[str, Any]) -> str:
    lead = row["score"] - row["other_score"]
    won = "the true one wins" if lead > 0 else "the swapped one wins" if lead < 0 else "a tie, which is no win"
    true, other = (f"\u201c{row[text]}\u201d {row[score]:.3f}" for text, score in _TRUE_AND_SWAP)
    return f"{true} against {other}; {won}."


def _term_sections(explanation: Explanation) -> list[Section]:
    named = "; ".join(f"{term}: {sentence}" for term, sentence in SCORE_TERMS.items())
    readout, maps = term_maps.readout_chart(explanation.readout), term_maps.maps_chart(explanation.maps)
    added = term_charts.contributions_chart(explanation)
    return [
        Section("What each head asks of a key, term by term", [_READOUT_TEXT, f"{named}."], readout),
        Section("Every query: the full maps", [_MAPS_TEXT], maps),
        Section("How the terms add up on the two scenes", [_CONTRIBUTIONS_TEXT], added),
    ]


def _ablation_sections(explanation: Explanation) -> list[Section]:
    """Return what is lost without each term; nothing where there is no term, or no pair to ask."""
    if not {*explanation.ablations["term"]} - {"none"}:
        return []
    split = term_charts.ablation_split(explanation.ablations)
    left_out = f"Accuracies on {split} ({SPLITS[split]}) with terms of the vision encoder left out. "
    lost = term_charts.ablation_chart(explanation.ablations)
    return [Section("What is lost without a term", [f"{left_out}Dashed: nothing left out; red: chance."], lost)]


def _without_terms() -> list[Section]:
    return [Section("No decomposition into terms", [_NO_TERMS_TEXT])]
