"""What `import lrsym` shows."""

import pytest

import lrsym


def test_every_public_name_is_listed_and_there():
    assert dir(lrsym) == sorted(lrsym.__all__)
    assert all(callable(getattr(lrsym, name)) for name in lrsym.__all__ if name != "__version__")


def test_the_version_is_the_one_of_the_installed_package():
    assert lrsym.__version__.count(".") == 2


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lod_trials'"):
        _ = lrsym.lod_trials  # pyright: ignore[reportAttributeAccessIssue]  misspelt: that is the test
