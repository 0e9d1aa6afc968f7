"""What stands in the script of a page: nothing in it ends the script."""

import json

import pytest

from lrsym.results.plots.embedding import drawing_scripts, in_script


def test_a_text_that_would_end_the_script_is_spelt_otherwise_and_means_the_same():
    value = {"</script><script>alert(1)</script>": ["<!--", 1.5, None]}
    assert "<" not in in_script(value)
    assert json.loads(in_script(value)) == value


@pytest.mark.slow
def test_the_libraries_that_draw_do_not_end_the_script_they_stand_in():
    assert "</script" not in drawing_scripts().lower()
    assert "vegaEmbed" in drawing_scripts()
