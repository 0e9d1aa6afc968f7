"""Kernels of our own: that they compile for a GPU, and what happens where they cannot be made."""

import os
import subprocess
import sys

import pytest
import torch

from lrsym.testbed.device_kernels import kernels_for

if "TRITON_INTERPRET" not in os.environ:
    pytest.skip("a GPU is here, see tests/test_gpu.py", allow_module_level=True)

from lrsym.testbed.training import contrastive_kernels

KERNELS = "lrsym.testbed.training.contrastive_kernels"
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def forget():
    kernels_for.cache_clear()
    yield
    kernels_for.cache_clear()


@pytest.mark.parametrize("error", [RuntimeError("no C compiler"), ImportError("no C compiler")])
def test_where_kernels_cannot_be_made_they_are_missing_with_one_warning(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(contrastive_kernels, "try_out", fail)
    with pytest.warns(UserWarning, match="go without the kernels of .*contrastive_kernels.*no C compiler") as warned:
        assert [kernels_for(KERNELS, CPU, 4) for _ in range(3)] == [None] * 3
    assert len(warned) == 1


def test_a_full_memory_is_no_word_on_kernels(monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(contrastive_kernels, "try_out", fail)
    with pytest.raises(torch.OutOfMemoryError):
        kernels_for(KERNELS, CPU, 4)
    monkeypatch.undo()
    assert kernels_for(KERNELS, CPU, 4) is contrastive_kernels


COMPILE = """
import triton
from jaxtyping import install_import_hook
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

install_import_hook("lrsym.testbed", "beartype.beartype")  # as in tests on a GPU: it wraps every function
from lrsym.testbed.model import attention_kernels as attention
from lrsym.testbed.training import contrastive_kernels as loss
from lrsym.testbed.training import dropout_kernels as dropout

ROWS = {"ROWS": 16, "COLUMNS": 256}
ATTENTION = {"KEYS": 12, "HEADS": 4, **attention.BLOCK}
for kernel, n_pointers, sizes in (
    (loss._sum_up, 7, ROWS),
    (loss._differentiate, 11, ROWS),
    (attention._forward, 4, {**ATTENTION, "SUMS": True}),
    (attention._forward, 4, {**ATTENTION, "SUMS": False}),
    (attention._backward, 4, ATTENTION),
    (dropout._draw, 4, {"PLACE": 2654435769, "FIRST": 0x7FEB352D, "SECOND": 2221713035, "WORDS": dropout.WORDS}),
):
    numbers = len(kernel.arg_names) - n_pointers - len(sizes)
    kinds = ["*fp32"] * n_pointers + ["i32"] * numbers + ["constexpr"] * len(sizes)
    signature = dict(zip(kernel.arg_names, kinds, strict=True))
    signature |= {name: "*i64" for name in ("columns", "tokens") if name in signature}
    if kernel is dropout._draw:
        signature |= dict.fromkeys(("masks", "first_keys", "second_keys", "least"), "*i32")
    source = ASTSource(kernel, signature, sizes)
    print(len(triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["cubin"]) > 1000)
"""


@pytest.mark.slow
def test_the_kernels_compile_for_a_gpu(tmp_path):
    """Without one: for compute capability 9.0. The interpreter takes more than the compiler does."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == ["True"] * 6, done.stderr[-2000:]
