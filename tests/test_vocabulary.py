"""Values that belong to the words of a vocabulary."""

import pytest

from lrsym.vocabulary import by_name


def test_values_stand_in_the_order_of_the_words():
    assert [*by_name(["a", "b"], {"b": 2, "a": 1}).items()] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize("values", [{"a": 1}, {"a": 1, "b": 2, "c": 3}])
def test_a_word_without_a_value_and_a_value_without_a_word_are_refused(values):
    with pytest.raises(ValueError, match="every one of a, b must have its value"):
        by_name(["a", "b"], values)
