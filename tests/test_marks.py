"""The marks of tests that conftest gives."""

import pytest


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("case", range(3))
def test_the_cases_after_as_many_are_slow(request, case):
    # Cases are counted as they are chosen, so this one must not be asked for alone.
    assert bool(request.node.get_closest_marker("slow")) == (case > 0)
