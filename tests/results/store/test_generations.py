"""Which parts are merged when: few parts are left, and no row is written again often."""

import pytest

from lrsym.results.store import generations
from lrsym.results.store.generations import GENERATIONS, MAX_BYTES, MIB, groups


def merge_all(sizes):
    """Compact until nothing is left to merge; return the parts, and how many bytes were written."""
    sizes, written = dict(sizes), 0
    while found := [*groups(sizes)]:
        for group in found:
            merged = sum(sizes.pop(part) for part in group)
            sizes[f"m{len(sizes)}-{written}"] = merged
            written += merged
    return sizes, written


@pytest.mark.parametrize("size", [40_000, MIB // 2, 3 * MIB])
def test_however_often_new_parts_come_a_byte_is_written_again_a_few_times_and_few_parts_are_left(size):
    sizes, written, total = {}, 0, 0
    for round in range(400):
        sizes |= {f"{round}-{i}": size for i in range(10)}
        total += 10 * size
        sizes, now = merge_all(sizes)
        written += now
    assert written < 8 * total
    assert len(sizes) < total / GENERATIONS[-1].below + 1 + sum(generation.enough for generation in GENERATIONS)


def test_a_few_new_parts_leave_what_was_merged_before_alone():
    before, _ = merge_all({str(i): 40_000 for i in range(5000)})
    after, written = merge_all({**before, "new": 40_000, "newer": 40_000})
    assert written < GENERATIONS[0].below + 80_000
    assert len({*before} & {*after}) >= len(before) - 1
    assert [*groups(after)] == []


def test_no_merge_takes_in_more_than_it_may_and_none_takes_in_one_part(monkeypatch):
    monkeypatch.setattr(generations, "MAX_PARTS", 3)
    found = [*groups({str(i): 40_000 for i in range(10)})]
    assert [len(group) for group in found] == [3, 3, 3]
    largest = GENERATIONS[-1].below - 1
    found = [*groups({str(i): largest for i in range(9)})]
    assert [len(group) for group in found] == [2, 2, 2, 2]
    assert 2 * largest <= MAX_BYTES


def test_small_parts_are_merged_at_once_and_larger_ones_once_there_are_many():
    small, large, largest = 1, GENERATIONS[0].below, GENERATIONS[1].below
    many = GENERATIONS[1].enough
    assert [*groups({"a": small})] == []
    assert [*groups({"a": small, "b": small, "c": large})] == [["a", "b"]]
    assert [*groups({str(i): large for i in range(many - 1)})] == []
    assert [len(group) for group in groups({str(i): large for i in range(many)})] == [many]
    assert [*groups({str(i): largest for i in range(99)})] == []
