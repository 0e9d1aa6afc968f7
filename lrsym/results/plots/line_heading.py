"""What the heading of a picture of lines says: what line, band and marks are, and which trials are in none of them."""

import polars as pl

from lrsym.errors import counted
from lrsym.results.analysis.aggregate import SHARED
from lrsym.results.analysis.intervals import interval_of
from lrsym.results.analysis.lines import BANDS
from lrsym.results.analysis.metrics import metric_columns
from lrsym.results.analysis.phases import split_and_metric
from lrsym.results.plots import theme
from lrsym.results.plots.line_cells import LinePlot, chance_of, losses_in_words, lost, middle
from lrsym.vocabulary import METRICS, SPLITS, is_accuracy


def explain_lines(plot: LinePlot, trials: pl.DataFrame) -> list[str]:
    """Return sentences: what the metrics are, what the band is and of how many seeds, and what it does not tell."""
    named = [split_and_metric(metric) for metric in plot.metrics if is_accuracy(metric)]
    others = [metric_columns()[metric] for metric in plot.metrics if not is_accuracy(metric)]
    return [
        *(f"{split}: {SPLITS[split]}." for split in dict.fromkeys(split for split, _ in named)),
        *(f"{name}: {METRICS[name]}." for name in dict.fromkeys(name for _, name in named)),
        *(f"{column.name}: {column.sentence}" for column in others),
        *_explain_band(plot),
        *_explain_medians(plot),
        *_explain_losses(plot, trials.height),
        *_explain_apart(plot),
        *theme.stopped_early(trials),
    ]


def _explain_band(plot: LinePlot) -> list[str]:
    """Return what line and band of the means are, in a sentence; nothing where there are medians alone."""
    metrics = [metric for metric in plot.metrics if middle(metric) == "mean"]
    cells = plot.cells.filter(pl.col("n") > 0, pl.col("metric").is_in(metrics))
    if not metrics:
        return []
    line = "Line" if len(metrics) == len(plot.metrics) else f"{', '.join(metrics)}, line"
    single, seeds = cells.filter(pl.col("n") == 1).height, theme.seed_count(cells["n"])
    chance = " Red, dashed: chance." if any(chance_of(metric) is not None for metric in metrics) else ""
    if single == cells.height:
        return [f"{line}: the one seed of each cell; there is no band, which takes replicates.{chance}"]
    kinds = {interval_of(metric) for metric in metrics}
    how = " (of accuracies on logits)" if plot.band == "interval" and "logit" in kinds else ""
    without = f" {single} of {cells.height} cells have one seed and no band." if single else ""
    bare = cells.filter(pl.col("n") > 1, pl.col("low").is_null())
    for metric, n in bare.group_by("metric", maintain_order=True).len().iter_rows():
        why = "trials of a pack share its time" if metric in SHARED else "equal seeds tell no spread"
        without += f" {n} of {cells.filter(metric=metric).height} cells have none of {metric}, as {why}."
    if single + bare.height == cells.height:
        return [f"{line}: mean of {seeds} in each cell; there is no band.{without}{chance}"]
    return [f"{line}: mean; band: {BANDS[plot.band]}{how}, {seeds} in each cell.{without}{chance}"]


def _explain_medians(plot: LinePlot) -> list[str]:
    """Return what line and band of each metric with medians are."""
    sentences = []
    for metric in plot.metrics:
        cells = plot.cells.filter(pl.col("n") > 0, metric=metric)
        if middle(metric) == "mean":
            continue
        never, beyond = int(cells["n_never"].sum()), cells["median"].null_count()
        sentences.append(
            f"{metric}, line: median of {theme.seed_count(cells['n'])} in each cell (never: later than any step); "
            f"band: lowest to highest seed{', to the top where one never gets there' if never else ''}."
        )
        if never:
            sentences.append(f"{never} of {int(cells['n'].sum())} trials never get there.")
        if beyond:
            sentences.append(f"Triangles: {counted(beyond, 'cell')} whose median is never.")
    return sentences


def _explain_losses(plot: LinePlot, n_trials: int) -> list[str]:
    """Return which trials have no value, by metric, and what marks their cells."""
    sentences = []
    for metric in plot.metrics:
        cells = plot.cells.filter(metric=metric)
        n_without, told = n_trials - int(cells["n"].sum()), losses_in_words(cells)
        if n_without:
            sentences.append(f"{metric}: {n_without} of {n_trials} trials have no value{f' ({told})' if told else ''}.")
    ringed = plot.cells.filter(pl.coalesce("mean", "median").is_not_null(), lost())
    rings = [] if ringed.is_empty() else ["Red rings: cells that lost trials."]
    return [*sentences, *rings, *(["Red crosses: no seed has a value."] if (plot.cells["n"] == 0).any() else [])]


def _explain_apart(plot: LinePlot) -> list[str]:
    apart = plot.cells.filter(pl.col("apart")).height
    told = (
        f"Hollow: one seed lies apart from the others ({apart} of {plot.cells.height} means); how often one does, so "
        "few seeds cannot tell, and their interval may miss the mean."
    )
    return [told] if apart else []
