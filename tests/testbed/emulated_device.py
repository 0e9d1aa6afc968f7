"""A device that is none: tensors that say they are elsewhere but carry their numbers here, and a log of what hurts.

On a GPU the host runs ahead; it has to wait where it reads a number, and a recorded step may neither read nor send
anything, nor change from one call to the next. Under `EmulatedDevice` each operation on such tensors is looked at.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
"""Where the tensors say they are: a device that torch knows and that has no memory."""

READS = (
    "_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique", "aten.equal", "repeat_interleave.Tensor",
    "linalg_svd", "bincount",
)  # fmt: skip
"""Operations whose result the host must see before it can go on."""

VIEWS = (
    "view", "t.", "transpose", "expand", "slice", "select.", "unsqueeze", "squeeze", "permute", "split", "unbind",
    "detach", "alias", "as_strided", "_unsafe_view", "diagonal",
)  # fmt: skip
"""Operations that launch nothing."""

OWN_CODE = "/lrsym/"


class Event(NamedTuple):
    """What an operation would cost: `read`, `transfer`, or `mixture` of devices; and the line that asked for it."""

    kind: str
    operation: str
    line: str


class _Elsewhere(torch.Tensor):
    """A tensor on DEVICE that holds one of the host, `here`."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> "_Elsewhere":
        made = torch.Tensor._make_wrapper_subclass(
            cls, here.size(), strides=here.stride(), storage_offset=here.storage_offset(), dtype=here.dtype,
            layout=here.layout, device=DEVICE,
        )  # fmt: skip
        made.here = here
        return made

    def __repr__(self, **_: Any) -> str:
        return f"elsewhere({self.here})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} on an emulated tensor outside EmulatedDevice")


class EmulatedDevice(TorchDispatchMode):
    """Runs what is asked of DEVICE on the host. `events` are what a GPU would have to wait for, in order.

    `program` is what was called: each operation with its numbers, shapes and the addresses of what it did not make.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.program: list[tuple[Any, ...]] = []
        self._made: set[int] = set()

    def clear(self) -> None:
        """Forget what was logged: a new step begins."""
        self.events, self.program, self._made = [], [], set()

    def launches(self) -> int:
        """Return how many operations of the program would launch at least one kernel."""
        return sum(not name.removeprefix("aten.").startswith(VIEWS) for name, *_ in self.program)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        elsewhere = [tensor for tensor in tensors if isinstance(tensor, _Elsewhere)]
        asked = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
        if not elsewhere and asked != DEVICE:
            return func(*args, **kwargs)
        self._log(func, args, kwargs, tensors, asked)
        inside = {**_unwrapped(kwargs), **({"device": torch.device("cpu")} if asked == DEVICE else {})}
        inside |= {"pin_memory": False} if "pin_memory" in inside else {}
        out = func(*_unwrapped(args), **inside)
        if asked is not None and asked != DEVICE:
            return out
        self._made |= {leaf.data_ptr() for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)}
        wrapped = tree_map(lambda leaf: _Elsewhere(leaf) if type(leaf) is torch.Tensor else leaf, out)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if elsewhere else wrapped

    def _log(self, func: Any, args: Any, kwargs: Any, tensors: list[torch.Tensor], asked: torch.device | None) -> None:
        name = str(func)
        for kind in _kinds(name, args, tensors, asked):
            self.events.append(Event(kind, name, _line()))
        numbers = [leaf for leaf in tree_leaves((args, kwargs)) if not isinstance(leaf, torch.Tensor)]
        addresses = [tensor.here.data_ptr() if isinstance(tensor, _Elsewhere) else 0 for tensor in tensors]
        outside = tuple(None if address in self._made else address for address in addresses)
        self.program.append((name, repr(numbers), tuple(tuple(tensor.shape) for tensor in tensors), outside))


def _kinds(name: str, args: Any, tensors: list[torch.Tensor], asked: torch.device | None) -> Iterator[str]:
    here = [tensor for tensor in tensors if not isinstance(tensor, _Elsewhere)]
    sent = asked is not None and tensors and (len(here) < len(tensors)) != (asked == DEVICE)
    if sent or (name.startswith("aten.copy_") and here):
        yield "transfer"
    elif here and len(here) < len(tensors):  # a number on the host is sent along as an argument, and so frozen
        yield "mixture"
    masked = name.startswith("aten.index") and any(
        isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in tree_leaves(args[1:])
    )
    if masked or any(read in name for read in READS):
        yield "read"


def _unwrapped(tree: Any) -> Any:
    return tree_map(lambda leaf: leaf.here if isinstance(leaf, _Elsewhere) else leaf, tree)


def _line() -> str:
    own = [
        frame for frame in traceback.extract_stack() if OWN_CODE in frame.filename and "/tests/" not in frame.filename
    ]
    return f"{own[-1].filename.rpartition(OWN_CODE)[2]}:{own[-1].lineno}" if own else "?"


@contextmanager
def emulated_device() -> Iterator[EmulatedDevice]:
    """Yield the device, with the ways to and from it that do not come as operations made to go through it."""
    plain = torch.tensor

    def tensor(data: Any, *, device: Any = None, **kwargs: Any) -> torch.Tensor:
        made = plain(data, **kwargs)
        return made if device is None or torch.device(device) != DEVICE else _Elsewhere(made)

    device = EmulatedDevice()

    def tolist(self: _Elsewhere) -> Any:
        device.events.append(Event("read", "tolist", _line()))
        return self.here.tolist()

    with pytest.MonkeyPatch.context() as patch, device:
        patch.setattr(torch, "tensor", tensor)
        patch.setattr(_Elsewhere, "tolist", tolist, raising=False)
        patch.setitem(_chunk_limits(), DEVICE.type, 1 << 20)
        yield device


def _chunk_limits() -> dict[str, int]:
    from lrsym.testbed.evaluation import MAX_CHUNK_NUMBERS

    return MAX_CHUNK_NUMBERS
