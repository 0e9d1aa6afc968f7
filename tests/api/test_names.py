"""What `import lrsym` shows."""

import inspect

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


@pytest.mark.parametrize("name", ["plan", "run_sweep", "refine"])
def test_options_of_execution_stand_in_the_signature_one_by_one(name):
    shown = inspect.signature(getattr(lrsym, name)).parameters
    assert {"workers", "pack", "device", "engine", "no_pilot", "max_core_hours", "max_gpu_hours"} <= {*shown}
    assert ("timeout" in shown) == (name != "plan")
    assert shown["device"].default == "auto"
    with pytest.raises(TypeError, match="unexpected keyword argument 'wrokers'"):
        getattr(lrsym, name)("x.toml", wrokers=2, **({"budget": 4} if name == "refine" else {}))
