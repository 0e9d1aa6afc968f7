"""What every part is given: the device, whether it is a rehearsal, and where its lines go."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import torch

BATCH_SIZES = (256, 50)
"""The recipe's and the paper's."""


@dataclass
class Setting:
    """The device, whether sizes are those of a rehearsal (`quick`), and the file of lines.

    A part that is cut off has told what it found: every line is written and printed at once.
    """

    device: torch.device
    quick: bool
    file: IO[str]
    started: float = field(default_factory=time.monotonic)

    def tell(self, part: str, **line: object) -> None:
        """Write one line of `part`."""
        text = json.dumps({"part": part, **{name: _short(value) for name, value in line.items()}})
        print(text, flush=True)
        self.file.write(text + "\n")
        self.file.flush()

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.type == "cuda"


def open_setting(device: str, folder: Path, *, quick: bool, name: str) -> Setting:
    """Return the setting of a run that adds its lines to FOLDER/`name`.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    return Setting(torch.device(device), quick, (folder / f"{name}.jsonl").open("a"))


def _short(value: object) -> object:
    """Return five significant digits: more would be noise."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _short(entry) for name, entry in value.items()}
    return value
