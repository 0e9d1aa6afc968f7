"""Dropout of a pack, from a counted stream: what falls out follows from seed, step, site and place.

    keys   of (seed, step, site), two words of 32 bits
    word   = mix(place, keys), by additions, shifts and products of 32 bits alone
    entry  = the lower 16 bits of a word for the first half of a site's entries, its upper ones for the second
    kept   where entry >= rate 2^16

So every device drops the same entries, a step can be recorded and played again, and a training goes on without a state.
A rate is met to 2^-17. A dozen passes in integers make a word, at the speed of memory.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from lrsym.config.trial import Trial
from lrsym.testbed.data.streams import stream
from lrsym.testbed.device_kernels import kernels_for
from lrsym.testbed.model.drop import Site

KERNELS = "lrsym.testbed.training.dropout_kernels"

ODD = -1640531527, 0x7FEB352D, -2073319797
"""Odd numbers of 32 bits, with a sign: 2^32 over the golden ratio, and two whose products mix well."""

SITES_AT_A_TIME = 64
"""Sites of a step whose keys are made together."""


class Dropout:
    """Dropout of a pack, each member at its own rates, from its own stream "dropout".

    `begin` comes before each step. Then each call is a site of its own: a step must call them in the same order.
    """

    def __init__(self, trials: Sequence[Trial], *, device: torch.device) -> None:
        rates = torch.tensor([(t.model.dropout, t.model.attention_dropout) for t in trials], dtype=torch.float64)
        self._drops = [bool((of_kind > 0).any()) for of_kind in rates.T]
        self._least = (rates.T * 2**16).round().to(device, torch.int32)
        self._factors = (1 / (1 - rates.T)).to(device, torch.float32)
        words = [stream(t.seed, "dropout").integers(-(2**31), 2**31, size=2).tolist() for t in trials]
        self._members = torch.tensor(words, dtype=torch.int32).T[:, :, None].to(device)
        self._odd = torch.tensor(ODD, dtype=torch.int32, device=device)[:, None, None]
        self._step, self._keys, self._site = self._members, list[Tensor](), 0

    @classmethod
    def of(cls, trials: Sequence[Trial], *, device: torch.device) -> "Dropout | None":
        """Return the dropout of `trials`; None where no rate is set."""
        return cls(trials, device=device) if any(any(trial.model.drops) for trial in trials) else None

    def begin(self, number: Int[Tensor, ""]) -> None:
        """Begin step `number`, a tensor on the device."""
        self._step = self._members ^ _mixed(self._odd[:2] * number.to(torch.int32))
        self._keys, self._site = [], 0

    def __call__(self, shape: Sequence[int], *, attention: bool = False) -> Site | None:
        """Return the next site, of a tensor of this shape; None where all of its kind is kept."""
        kind = int(attention)
        if not self._drops[kind]:
            return None
        n_entries = torch.Size(shape[1:]).numel()
        keys, half = self._next_keys(), (n_entries + 1) // 2
        kernels = kernels_for(KERNELS, keys.device) if keys.is_cuda else None
        masks = (kernels.draw if kernels else draw)(keys, self._least[kind], half)
        return Site(masks.flatten(1)[:, :n_entries].reshape(shape), self._factors[kind])

    def _next_keys(self) -> Int[Tensor, "2 trial"]:
        """Return the keys of the next site."""
        table, at = divmod(self._site, SITES_AT_A_TIME)
        if table == len(self._keys):
            first = self._site
            sites = torch.arange(first, first + SITES_AT_A_TIME, dtype=torch.int32, device=self._members.device)
            self._keys.append(_mixed(self._step + self._odd[1:] * sites))
        self._site += 1
        return self._keys[table][:, :, at]


def draw(keys: Int[Tensor, "2 trial"], least: Int[Tensor, " trial"], half: int) -> Int[Tensor, "trial 2 half"]:
    """Return the masks of a site of so many words, from its keys and the least entries that are kept."""
    n_trials, masks = keys.shape[1], keys.new_empty(keys.shape[1], 2, half)
    places = torch.arange(half, dtype=torch.int32, device=keys.device) * ODD[0]
    (first, second), bounds = keys[:, :, None], least[:, None]
    # A core does one member after the other: its words fit into a cache.
    for rows in [slice(row, row + 1) for row in range(n_trials)] if masks.is_cpu else [slice(None)]:
        lower = _mixed(places + first[rows], second[rows])
        upper = _shifted(lower, 16)
        for part, entry in enumerate((lower.bitwise_and_(0xFFFF), upper)):
            torch.bitwise_right_shift(entry.sub_(bounds[rows]), 31, out=masks[rows, part])
    return masks.bitwise_not_()


def _mixed(words: Int[Tensor, "..."], key: Int[Tensor, "..."] | int = 0) -> Int[Tensor, "..."]:
    """Return hashes of `words`, which it overwrites; a second `key` goes in half-way."""
    words ^= _shifted(words, 16)
    words *= ODD[1]
    words ^= key
    words ^= _shifted(words, 15)
    words *= ODD[2]
    words ^= _shifted(words, 16)
    return words


def _shifted(words: Int[Tensor, "..."], by: int) -> Int[Tensor, "..."]:
    """Return words shifted to the right, as if they had no sign."""
    return (words >> by).bitwise_and_((1 << (32 - by)) - 1)
