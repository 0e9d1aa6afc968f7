"""docs/costs.md says what the table of benchmarks says: both its tables, and every figure in a sentence."""

import polars as pl
import pytest

from tests import pages
from tests.pages import ROOT

PAGE = "docs/costs.md"
THROUGHPUT = "| 16 trials of the recipe (3,000 steps), 2 workers, from a cold start, n = 5 | batch 256 | batch 50 |"
STEP = "| one core, per trial (n = 10) | batch 256 | batch 50 |"


def figure(part, benchmark, variant, unit=""):
    """The one figure of a part; `unit` where a variant is compared with several others."""
    taken = pl.read_parquet(ROOT / "benchmarks/results.parquet").filter(part=part, benchmark=benchmark, variant=variant)
    (row,) = taken.filter(pl.col("unit").str.ends_with(unit)).to_dicts()
    return row


def value(*names, unit="", digits=1):
    return f"{figure(*names, unit=unit)['value']:,.{digits}f}"


def test_the_table_of_throughput():
    shown = pages.table(PAGE, THROUGHPUT)
    for column, batch in enumerate((256, 50), start=1):
        names = (f"full_length_{batch}", f"sweep, batch {batch}")
        found = [f"{value(*names, 'plain Ray Tune', digits=0)} trials an hour"]
        for variant in ("lrsym, ray", "lrsym, local"):
            ratio = figure(names[0], f"speed, batch {batch}", variant)
            assert ratio["n"] == 5
            times, low, high = (f"{ratio[name]:.1f}" for name in ("value", "lowest", "highest"))
            found.append(f"{value(*names, variant, digits=0)} ({times} times, {low} to {high})")
        assert [row[column] for row in shown] == found


def test_the_table_of_a_step():
    shown = pages.table(PAGE, STEP)
    loops = ("textbook", "textbook, read-out query only", "textbook, stacked 8 with torch.func")
    for column, batch in enumerate((256, 50), start=1):
        found = [f"{value('step', f'step, batch {batch}', loop)} ms" for loop in loops]
        for pack in ("pack of 1", "pack of 8"):
            times = value("step", f"speed, batch {batch}", pack, unit="times textbook")
            found.append(f"{value('step', f'step, batch {batch}', pack)} ms ({times} times faster than textbook)")
        found.append(f"{value('floor', f'floor, batch {batch}', 'step over floor')} times")
        assert [row[column] for row in shown] == found


def short_trainings():
    plain, logged = "times plain Ray Tune", "times plain Ray Tune, default loggers"
    speed = {
        (batch, variant, unit): value("plain_ray", f"speed, batch {batch}", f"lrsym, {variant}", unit=unit)
        for batch in (256, 50)
        for variant in ("local", "ray")
        for unit in (plain, logged)
    }
    return [
        f"does {speed[256, 'local', plain]} times as many an hour as plain Ray Tune at batch 256 and "
        f"{speed[50, 'local', plain]} times as many at batch 50 (n = 5; {speed[256, 'local', logged]} and "
        f"{speed[50, 'local', logged]} times with Tune's default loggers), with `--engine ray` "
        f"{speed[256, 'ray', plain]} and {speed[50, 'ray', plain]} times as many"
    ]


def agreement():
    first, last = "first evaluation, any trial", "last evaluation, mean over trials"
    parts = [(part, batch) for batch in (50, 256) for part in ("plain_ray", f"full_length_{batch}")]
    largest = max(figure(part, f"agreement, batch {batch}", first)["value"] for part, batch in parts)
    ends = [value(f"full_length_{batch}", f"agreement, batch {batch}", last, digits=3) for batch in (50, 256)]
    return [
        f"differ by at most {largest:.4f}",
        f"means over the 16 trials end up to {ends[0]} apart at batch 50, and {ends[1]} at batch 256",
    ]


def overhead():
    shares = [
        value(part, f"outside packs, 300 trials of {steps} steps", engine)
        for part, steps in (("overhead_recipe", 3000), ("overhead", 600))
        for engine in ("local", "ray")
    ]
    return [
        f"{shares[0]} % of the workers' time in a sweep of 300 trials of the recipe with local processes and "
        f"{shares[1]} % with Ray",
        f"they take {shares[2]} % and, **more than the aim, {shares[3]} % with Ray**",
    ]


def driver():
    fewer, names = ("driver", "driver, 100,000 trials"), ("driver", "driver, 1,000,000 trials")
    when = ("a tenth trained", "all trained", "planned again")
    memory = [value(*names, f"memory, {each}", digits=0) for each in when]
    return [
        f"{value(*fewer, 'all of these, once', digits=2)} ms of processor time a trial",
        f"and {value(*names, 'all of these, once', digits=2)} ms in one of a million",
        f"in {memory[0]} to {memory[1]} MB from the first tenth to the last trial",
        f"over the full folder it takes {memory[2]} MB",
    ]


def workers_and_checkpoints():
    one, two = (figure("cost", "cost against workers", n)["value"] for n in ("1", "2"))
    taken, size = (value("checkpoint", "checkpoint", of, digits=0) for of in ("writing", "size"))
    share = value("checkpoint", "checkpoint", "share of the time")
    return [
        f"two workers are {one / two:.1f} times as fast as one",
        f"takes {taken} ms ({size} MB), {share} % of the time at one every 30 seconds",
    ]


def search():
    what = "search of 16 cells x 3, batch 256, 300 steps"
    plain, reusing = "plain Ray Tune", "plain Ray Tune, reuse_actors"
    seconds = {
        name: value("search_time", what, name, unit="s", digits=0) for name in ("lrsym, local", "lrsym, ray", plain)
    }
    steps = {name: figure("search_time", what, name, unit="taken")["value"] for name in ("lrsym, local", plain)}
    speed = {
        (name, base): figure("search_time", f"speed, {what}", f"lrsym, {name}", unit=f"times {base}")
        for name in ("local", "ray")
        for base in (plain, reusing)
    }
    local, ray = (
        [f"{speed[name, plain][of]:.1f}" for of in ("value", "lowest", "highest")] for name in ("local", "ray")
    )
    assert {row["n"] for row in speed.values()} == {3}
    return [
        f"takes {seconds['lrsym, local']} s with local processes and {seconds['lrsym, ray']} s with `--engine ray`",
        f"takes {seconds[plain]} s: {local[0]} times ({local[1]} to {local[2]}, n = 3) and {ray[0]} times ({ray[1]} to "
        f"{ray[2]}) as long",
        f"with `reuse_actors` {speed['local', reusing]['value']:.1f} and {speed['ray', reusing]['value']:.1f} times",
        f"{steps['lrsym, local']:.0%} of all steps are taken, not {steps[plain]:.0%}".replace("%", " %"),
    ]


PARAGRAPHS = [search, short_trainings, agreement, overhead, driver, workers_and_checkpoints]


@pytest.mark.parametrize("paragraph", PARAGRAPHS, ids=lambda p: p.__name__)
def test_a_sentence_says_what_was_measured(paragraph):
    for fragment in paragraph():
        assert fragment in pages.text(PAGE)


def test_no_table_and_no_figure_of_the_page_is_left_unchecked():
    assert pages.headings(PAGE) == [THROUGHPUT, STEP]
    fragments = [fragment for paragraph in PARAGRAPHS for fragment in paragraph()]
    assert pages.unchecked(PAGE, sentences=fragments, settings=()) == []
