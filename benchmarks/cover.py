"""How often 95 % intervals hold the mean, along that mean: `python -m benchmarks.cover` simulates it and draws it.

Averaged over the mean an interval may cover as often as it says and still miss more often at some means. Here the mean
is held and made-up seeds are drawn around it: for `wilson` truth values, else accuracies whose logits are normal. Every
interval is asked of `estimate_mean`, so that the picture follows the code; every point has random numbers of its own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt
import numpy as np
import polars as pl
from scipy import special

from lrsym.results.analysis.intervals import SCENES, estimate_mean
from lrsym.results.plots import theme
from lrsym.results.plots.save import as_png

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "cover.png"

COLOURS = {"wilson": "#2a9d7f", "logit": theme.LINE, "t": "#d1551b"}

CELLS: Mapping[str, int] = {"wilson": 4000, "logit": 600, "t": 600}
"""Cells of each point: the standard error of a cover of 95 % is 0.3, 0.9 and 0.9 %. One bootstrap takes as long as a
thousand of these, so its cover is held by a test alone."""

SPREAD = 1.0
"""Standard deviation of the logits of seeds: that of seeds that scatter."""

BAND, WIDTH, HEIGHT = (0.93, 0.97), 420, 260

_NODES, _WEIGHTS = special.roots_hermitenorm(60)


def simulate(*, cells: Mapping[str, int] = CELLS, sizes: Sequence[int] = (5, 20), n_points: int = 15) -> pl.DataFrame:
    """Return a row for each interval, number of seeds and mean: interval, n, mean, cover."""
    rows = [
        {"interval": interval, "n": n, **_point(interval, n, place / (n_points - 1), cells[interval], seed=[n, place])}
        for interval in cells
        for n in sizes
        for place in range(n_points)
    ]
    return pl.DataFrame(rows)


def _point(interval: str, n: int, place: float, cells: int, *, seed: Sequence[int]) -> dict[str, float]:
    """Return the mean at a `place`, 0 to 1, of the range, and the share of so many cells whose interval holds it."""
    rng = np.random.default_rng(seed)
    if interval == "wilson":
        mean = 0.02 + 0.96 * place
        values = (rng.uniform(size=(cells, n)) < mean).astype(float)
    else:
        centre = -2 + 7 * place
        mean = float(special.expit(centre + SPREAD * _NODES) @ _WEIGHTS / _WEIGHTS.sum())
        values = rng.binomial(SCENES, special.expit(centre + SPREAD * rng.normal(size=(cells, n)))) / SCENES
    held, known = 0, dict[tuple[float, ...], bool]()
    for one in map(tuple, np.sort(values, axis=1).tolist()):  # of truth values many cells are alike
        if one not in known:
            found = estimate_mean(one, interval=interval)
            known[one] = found.low is not None and found.high is not None and found.low <= mean <= found.high
        held += known[one]
    return {"mean": mean, "cover": held / cells}


def draw(found: pl.DataFrame) -> theme.Chart:
    """Return the picture of what `simulate` gives: a panel for each number of seeds."""
    sizes = found["n"].unique().sort().to_list()
    return theme.finish(
        alt.concat(*(_panel(found.filter(n=n), n) for n in sizes), columns=2, spacing=40),
        title="How often a 95 % interval holds the mean",
        subtitle=[
            "wilson: of truth values; the others: of accuracies of seeds whose logits are normal with standard "
            f"deviation {SPREAD:g}. Band: 0.93 to 0.97.",
            f"Made-up cells of each point: {', '.join(f'{name} {n:,}' for name, n in CELLS.items())}.",
        ],
        width=len(sizes) * WIDTH,
    )


def _panel(rows: pl.DataFrame, n: int) -> alt.LayerChart:
    x = alt.X("mean:Q", title="true mean").scale(domain=[0, 1], nice=False)
    lowest = min(0.8, *rows["cover"])
    scale = alt.Scale(domain=[lowest, 1], nice=False)
    y = alt.Y("cover:Q", title="intervals that hold it", scale=scale).axis(format=".0%")
    colour = alt.Color("interval:N", title="interval").scale(domain=[*COLOURS], range=[*COLOURS.values()])
    base = alt.Chart(theme.inline(rows)).encode(x, colour.legend(symbolType="stroke", symbolStrokeWidth=4))
    band = alt.Chart(alt.InlineData(values=[{"low": BAND[0], "high": BAND[1]}])).mark_rect(
        color=theme.FAINT, opacity=0.6
    )
    return alt.LayerChart(
        layer=[
            band.encode(alt.Y("low:Q", title="intervals that hold it", scale=scale), y2="high:Q"),
            theme.dashed_rule(theme.MUTED, told="95 %").encode(y=alt.datum(0.95)),
            base.mark_line(strokeWidth=2.2, point=alt.OverlayMarkDef(size=30)).encode(y),
        ],
        width=WIDTH,
        height=HEIGHT,
        title=alt.TitleParams(f"{n} seeds", fontSize=15, offset=8),
    )


def main() -> None:
    """Simulate, write the picture, and print the lowest cover of each interval and number of seeds."""
    found = simulate()
    PICTURE.write_bytes(as_png(draw(found).to_dict()))
    for row in found.sort("cover").group_by("interval", "n", maintain_order=True).first().iter_rows(named=True):
        print(f"{row['interval']}, {row['n']} seeds: lowest {row['cover']:.3f} at a mean of {row['mean']:.2f}")


if __name__ == "__main__":
    main()
