"""Which kernels of our own a device can run: those in Triton, on a GPU that has what Triton needs."""

import inspect
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import torch


@cache
def kernels_for(module: str, device: torch.device, *sizes: int) -> ModuleType | None:
    """Return the module of kernels once its `try_out(device, *sizes)` went well; None, with a warning, if it did not.

    Kernels are made anew for every choice of `sizes`. Triton may not be there, nor the C compiler that it needs on the
    machine. Out of memory is raised: it says nothing of the kernels.
    """
    try:
        kernels = import_module(module)
        kernels.try_out(device, *sizes)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        warnings.warn(f"steps go without the kernels of {module}, somewhat slower: {error}", stacklevel=2)
        return None
    return kernels


def kernel(function: Callable[..., None]) -> Any:
    """Make a Triton kernel of the function itself, not of what a checker of types has wrapped around it.

    Triton reads its code and its globals.
    """
    import triton

    return triton.jit(inspect.unwrap(function))
