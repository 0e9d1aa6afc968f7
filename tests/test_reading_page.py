"""The numbers of docs/reading.md, computed again from the committed rows, by hand."""

from scipy import stats

import lrsym
from tests.pages import ROOT

SWEEP = lrsym.load_sweep(ROOT / "sweeps/labels_by_layouts.toml")
PAGE = (ROOT / "docs/reading.md").read_text()


def test_the_contrast_of_the_page_is_the_one_by_hand():
    rows = SWEEP.trials_frame(ROOT / "results/reference").collect()
    means = {
        (layouts, seed): rows.filter(layouts_per_pair=layouts, seed=seed)["unseen_inset"].mean()
        for layouts in (20, 5)
        for seed in range(5)
    }  # all cells have all seeds
    by_seed = [means[20, seed] - means[5, seed] for seed in range(5)]
    low, high = stats.ttest_1samp(by_seed, 0).confidence_interval(0.95)
    told = f"{sum(by_seed) / 5:.4f} (95 % interval {low:.4f} to {high:.4f}, n = 5 seeds, 55 pairs)"
    assert told in PAGE
    row = lrsym.contrast(
        SWEEP, of={"layouts_per_pair": 20}, against={"layouts_per_pair": 5}, metric="unseen_inset",
        results=ROOT / "results/reference",
    ).row(0, named=True)  # fmt: skip
    assert told == f"{row['estimate']:.4f} (95 % interval {row['low']:.4f} to {row['high']:.4f}, n = 5 seeds, 55 pairs)"
