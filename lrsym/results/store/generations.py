"""Which parts are merged with which: small ones whenever there are several, larger ones once many have their size.

A merged part is larger than those it came from, so that a row is written again only as often as there are sizes,
however often and beside however many new parts the store is compacted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Generation:
    """Parts of less than `below` bytes that belong to no earlier one; they are merged once there are `enough`."""

    below: int
    enough: int


GENERATIONS = (Generation(MIB, enough=2), Generation(16 * MIB, enough=8))
"""What is larger than all of them stays as it is: a reader loses nothing by some more files of this size."""

MAX_BYTES, MAX_PARTS = 32 * MIB, 4000
"""What one merge takes in at most: it is in memory then, curves some thirty times as large as on disk."""


def groups(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield the parts that are to be merged into one, by the bytes of each; the order of `sizes` is kept."""
    at_least = 0
    for generation in GENERATIONS:
        parts = [part for part, size in sizes.items() if at_least <= size < generation.below]
        at_least = generation.below
        if len(parts) >= generation.enough:
            yield from _cut(parts, sizes)


def _cut(parts: list[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield the parts in groups of two or more, none larger than a merge can take; one alone waits for the next."""
    group, taken = list[str](), 0
    for part in parts:
        if len(group) >= 2 and (len(group) == MAX_PARTS or taken + sizes[part] > MAX_BYTES):
            yield group
            group, taken = [], 0
        group.append(part)
        taken += sizes[part]
    if len(group) >= 2:
        yield group
