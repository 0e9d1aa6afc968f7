"""`python -m benchmarks.gpu PART ... --out FOLDER`: take figures; `--report FOLDER`: what was expected beside them."""

import argparse
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch

from benchmarks.gpu.setting import Setting, open_setting

PARTS = {
    "waits": "steps",
    "ceilings": "ceilings",
    "sizes": "steps",
    "attention": "attention",
    "dropout": "steps",
    "around": "around",
    "profile": "steps",
    "sweeps": "sweeps",
    "textbook": "textbook",
    "textbook_recorded": "textbook",
    "textbook_compiled": "textbook",
    "jax_steps": "jax_steps",
}
"""Parts, most wanted first, and the file in which each is the function of that name."""

HIDDEN = {"compile_alone": "textbook"}
"""What parts start in processes of their own."""


def main() -> None:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the lines")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small sizes: does everything run?")
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="print its lines as tables; measure nothing")
    asked = parser.parse_args()
    if asked.report:
        from benchmarks.gpu.report import report

        print(report(asked.report))
        return
    if unknown := {*asked.parts} - {*PARTS, *HIDDEN}:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    parts = asked.parts or [*PARTS]
    setting = open_setting(asked.device, asked.out, quick=asked.quick, name=parts[0])
    if not {*parts} <= {*HIDDEN}:
        card = torch.cuda.get_device_name() if setting.on_gpu else "cpu"
        setting.tell("machine", card=card, torch=torch.__version__, quick=setting.quick)
    for name in parts:
        take(name, setting)


def take(name: str, setting: Setting) -> None:
    """Take the part of that name; what goes wrong is told, and the next one may work."""
    started = time.perf_counter()
    try:
        part: Callable[[Setting], None] = getattr(import_module(f"benchmarks.gpu.{(PARTS | HIDDEN)[name]}"), name)
        part(setting)
    except Exception as error:
        setting.tell(name, error=f"{type(error).__name__}: {error}"[:600])
    setting.tell("took", what=name, seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
