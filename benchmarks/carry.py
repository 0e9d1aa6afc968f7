"""`python -m benchmarks.carry`: put into `.carry/` what a GPU machine without a network lacks for sweeps and tests.

For CPython 3.12 on x86-64 Linux, of the versions in constraints.txt: small wheels as they are, and the runtime of
polars, stripped of symbols and compressed anew, because what may travel is limited. `benchmarks/gpu_day.sh` unpacks it
there. pyarrow need not travel: 19 and newer do.
"""

import argparse
import importlib.metadata
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CARRY = ROOT / ".carry"

WHEELS = (
    "pydantic",
    "pydantic_core",
    "annotated-types",
    "typing-inspection",
    "typing_extensions",
    "beartype",
    "polars",
)
RUNTIMES = ("polars-runtime-32",)
"""Wheels with one large library, which compress to half."""

TARGET = ("--python-version", "3.12", "--implementation", "cp")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def main() -> None:
    """Parse the command line, fetch, and say what there is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.carry", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="compress less: to try it out")
    asked = parser.parse_args()
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    shutil.rmtree(CARRY, ignore_errors=True)
    CARRY.mkdir()
    download([f"{name}=={pinned[name]}" for name in WHEELS], CARRY)
    with tempfile.TemporaryDirectory() as folder:
        download([f"{name}=={pinned[name]}" for name in RUNTIMES], Path(folder))
        for wheel in Path(folder).glob("*.whl"):
            repack(wheel, preset=1 if asked.fast else 9)
    write_version()
    for path in sorted(CARRY.iterdir()):
        print(f"{path.stat().st_size / 2**20:6.2f} MiB  {path.name}")
    print(f"{sum(path.stat().st_size for path in CARRY.iterdir()) / 2**20:6.2f} MiB  in all")


def download(requirements: list[str], folder: Path) -> None:
    """Download wheels for the target into `folder`, without what they need in turn."""
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    subprocess.run([*words, "--only-binary=:all:", *TARGET, *platforms, "-d", folder, *requirements], check=True)


def repack(wheel: Path, *, preset: int) -> None:
    """Write the files of `wheel` to CARRY as a .tar.xz, its libraries stripped."""
    folder = wheel.parent / wheel.stem
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    for library in folder.rglob("*.so"):
        subprocess.run(["strip", "--strip-unneeded", library], check=True)
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": 1 << 26}]
    with (
        lzma.open(CARRY / f"{wheel.stem}.tar.xz", "wb", filters=filters) as file,
        tarfile.open(fileobj=file, mode="w") as tar,
    ):
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)


def write_version() -> None:
    """Write the metadata of this checkout, which a run is recorded with, where it is found beside what is unpacked."""
    name = f"lrsym-{importlib.metadata.version('lrsym')}.dist-info"
    text = importlib.metadata.distribution("lrsym").read_text("PKG-INFO") or ""
    with tarfile.open(CARRY / "lrsym.tar.xz", "w:xz") as tar, tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder, "METADATA")
        metadata.write_text(text)
        tar.add(metadata, f"{name}/METADATA")


if __name__ == "__main__":
    main()
