"""Random streams of a trial: one root seed, one independent child for each name."""

import hashlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of child `name` of the trial seed `seed`.

    Children are independent of each other and of whatever else is drawn, so a trial's data do not move when
    its model changes, and a pack gives every member the numbers it would draw alone. NumPy's generators are
    used because their output does not depend on the processor's vector width.
    """
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
