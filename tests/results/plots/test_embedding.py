"""What stands in the script of a page: nothing in it ends the script."""

import json

import pytest
import vl_convert

from lrsym.results.plots.embedding import cache_folder, drawing_scripts, in_script


@pytest.fixture
def bundles(monkeypatch, tmp_path):
    """An empty cache and, one entry each, how often the libraries are put together."""
    made = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda: made.append(1) or "vegaEmbed('</script>')")
    drawing_scripts.cache_clear()
    yield made
    drawing_scripts.cache_clear()


def again():
    """The scripts as a process reads them that has not asked before."""
    drawing_scripts.cache_clear()
    return drawing_scripts()


def test_the_libraries_are_put_together_once_for_all_processes(bundles, tmp_path):
    first = again()
    assert (first, again(), len(bundles)) == ("vegaEmbed('<\\/script>')", first, 1)
    assert cache_folder() == tmp_path / "cache/lrsym"


@pytest.mark.parametrize("damage", [b"", b"// sha256 0\nalert(1)", b"\xff"], ids=["empty", "other", "bytes"])
def test_what_is_kept_and_is_not_what_was_written_is_made_again(bundles, damage):
    first = again()
    (kept,) = cache_folder().iterdir()
    kept.write_bytes(damage)
    assert (again(), len(bundles)) == (first, 2)
    assert (again(), len(bundles)) == (first, 2)


@pytest.mark.parametrize("place", ["file", "none"])
def test_without_a_place_to_keep_them_they_are_made_each_time(bundles, monkeypatch, tmp_path, place):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file") if place == "file" else "relative")
    if place == "none":
        monkeypatch.setattr("pathlib.Path.home", no_home)
    assert again() == again()
    assert len(bundles) == 2


def no_home():
    raise RuntimeError("Could not determine home directory.")


def test_a_text_that_would_end_the_script_is_spelt_otherwise_and_means_the_same():
    value = {"</script><script>alert(1)</script>": ["<!--", 1.5, None]}
    assert "<" not in in_script(value)
    assert json.loads(in_script(value)) == value


@pytest.mark.slow
def test_the_libraries_that_draw_do_not_end_the_script_they_stand_in():
    assert "</script" not in drawing_scripts().lower()
    assert "vegaEmbed" in drawing_scripts()
