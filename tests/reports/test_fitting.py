"""What a page leaves out, in which order, until it is small enough."""

import base64
import gzip
import json
import random

import pytest

from lrsym.reports.fitting import ORDER, ROWS, fit


def noise(number):
    """Numbers that cannot be compressed away."""
    source = random.Random(number)
    return [source.random() for _ in range(400)]


PARTS = {
    "map": noise(0), "trials": {"seed": noise(1), "beta1": noise(2)}, "curves": noise(3), "ablations": noise(4),
    "profiles": None,
}  # fmt: skip


def fitted(*sweeps, limit):
    return fit(sweeps, [lambda trials: {"seed": trials["seed"]} for _ in sweeps], limit=limit)


def size(parts):
    return sum(len(letters) for one in parts for letters in one.values())


def test_where_there_is_room_everything_is_kept():
    (parts,), told = fitted(PARTS, limit=10**9)
    assert {*parts} == {"map", "trials", "curves", "ablations"}
    assert told == [[]]
    assert json.loads(gzip.decompress(base64.b64decode(parts["trials"]))) == PARTS["trials"]


@pytest.mark.parametrize(
    ("share", "kept", "told"),
    [
        (0.95, {"map", "trials", "curves", "ablations"}, [ROWS]),
        (0.7, {"map", "trials", "curves"}, [ROWS, "ablations"]),
        (0.5, {"map", "trials"}, [ROWS, "ablations", "curves"]),
        (0.3, {"map"}, [ROWS, "ablations", "curves", "trials"]),
        (0.0, {"map"}, [ROWS, "ablations", "curves", "trials"]),
    ],
)
def test_the_least_is_left_out_in_order_and_told(share, kept, told):
    whole = size(fitted(PARTS, limit=10**9)[0])
    parts, sentences = fitted(PARTS, limit=share * whole)
    assert {*parts[0]} == kept
    assert sentences == [[ORDER[name] for name in told]]
    assert size(parts) <= share * whole or kept == {"map"}


def test_rows_that_were_too_many_from_the_start_are_told():
    (parts,), told = fitted({**PARTS, "trials": None}, limit=10**9)
    assert "trials" not in parts
    assert told == [[ORDER["trials"]]]


def test_of_two_sweeps_the_second_keeps_what_has_room():
    whole = size(fitted(PARTS, PARTS, limit=10**9)[0])
    (first, second), told = fitted(PARTS, PARTS, limit=0.95 * whole)
    assert len(first["trials"]) < len(second["trials"])
    assert told == [[ORDER[ROWS]], []]
