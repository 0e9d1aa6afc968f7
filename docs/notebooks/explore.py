import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")


@app.cell
def _():
    import tempfile
    from pathlib import Path

    import marimo as mo
    import polars as pl

    import lrsym

    root = next(folder for folder in Path(__file__).resolve().parents if (folder / "results/reference").is_dir())
    rows_in = root / "results/reference"
    return Path, lrsym, mo, pl, root, rows_in, tempfile


@app.cell
def _(mo):
    mo.md("""
    # Explore a sweep

    The committed rows of `sweeps/labels_by_layouts.toml`. Choose a metric and two layout diversities: all that depends
    on them is computed again.
    """)
    return


@app.cell
def _(mo):
    metric = mo.ui.dropdown(["unseen_inset", "unseen_order", "unseen_global"], value="unseen_inset", label="metric")
    few = mo.ui.dropdown([1, 2, 5, 10], value=5, label="layouts, against")
    many = mo.ui.dropdown([5, 10, 20], value=20, label="layouts, of")
    mo.hstack([metric, many, few], justify="start")
    return few, many, metric


@app.cell
def _(lrsym, root, rows_in):
    sweep = lrsym.load_sweep(root / "sweeps/labels_by_layouts.toml")
    trials = sweep.trials_frame(rows_in).collect()
    trials.group_by("status").len()
    return sweep, trials


@app.cell
def _(lrsym, metric, rows_in):
    lrsym.query(
        rows_in,
        f"select layouts_per_pair, avg({metric.value}) as mean, count(*) as n from trials "
        "where n_pair_labels = 8 group by 1 order by 1",
    )
    return


@app.cell
def _(lrsym, metric, rows_in, sweep):
    lrsym.plot_line(sweep, metric=metric.value, x="n_pair_labels", color="layouts_per_pair", results=rows_in)
    return


@app.cell
def _(few, lrsym, many, metric, mo, sweep, rows_in):
    mo.stop(few.value == many.value, mo.md("Choose two different numbers of layouts."))
    contrast = lrsym.contrast(
        sweep,
        of={"layouts_per_pair": many.value},
        against={"layouts_per_pair": few.value},
        metric=metric.value,
        results=rows_in,
    )
    contrast
    return (contrast,)


@app.cell
def _(few, lrsym, many, metric, rows_in, sweep):
    lrsym.plot_contrast(
        sweep,
        of={"layouts_per_pair": many.value},
        against={"layouts_per_pair": few.value},
        metric=metric.value,
        by="n_pair_labels",
        results=rows_in,
    )
    return


@app.cell
def _(mo):
    mo.md("""
    ## Where is the boundary?

    `lrsym refine` finds where an accuracy crosses a level with few trials, and its picture is `lrsym.plot_refined`:
    docs/refine.md.
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## Ask and tell

    After how many steps do tiny trials know the order in their training scenes? Each round asks the middle of what is
    left, trains it with two seeds, and is told on which side the answer lies.
    """)
    return


@app.cell
def _(Path, lrsym, pl, tempfile):
    tiny = {
        "scenes.n_positions": 5,
        "scenes.n_pair_labels": 4,
        "scenes.n_heldout_labels": 3,
        "scenes.positions_per_label": 3,
        "scenes.layouts_per_pair": 5,
        "model.d_model": 32,
        "model.n_heads": 2,
        "model.init_token_std": 0.1,
        "model.init_position_std": 0.1,
        "optim.batch_size": 32,
        "optim.warmup_steps": 10,
        "optim.learning_rate": 3e-3,
    }
    results, told = Path(tempfile.mkdtemp()) / "results", []
    low, high = 20, 400
    for _ in range(2):
        asked = round((low * high) ** 0.5)
        _batch = lrsym.Sweep.grid("asked", base={**tiny, "optim.steps": asked}, replicates=2)
        _mean = (
            lrsym.run_sweep(_batch, results=results, workers=1, no_pilot=True)
            .select(pl.mean("train_order"))
            .collect()
            .item()
        )
        told.append({"steps": asked, "train_order": _mean})
        low, high = (low, asked) if _mean >= 0.9 else (asked, high)
    pl.DataFrame(told)
    return high, low, told


if __name__ == "__main__":
    app.run()
