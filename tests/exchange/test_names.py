"""Names that other tools take: no two trials become one."""

import re

from lrsym.exchange.run import plain_name


def test_a_name_that_is_changed_or_cut_ends_in_digits_of_its_own():
    def named(text):
        return plain_name(text, r"[^\w-]+", "-", most=20)

    assert named("as-it-is") == "as-it-is"
    changed = [named(text) for text in ("a b", "a-b", "a  b", "x" * 21, "x" * 22, "\u5b57" * 21)]
    assert len({*changed}) == 6
    assert all(len(name.encode()) <= 20 for name in changed)
    assert re.fullmatch(r"a-b-[0-9a-f]{8}", changed[0])
