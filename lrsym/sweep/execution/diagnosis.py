"""What a bug report needs: versions, devices, environment, the state of a results folder, and what is wrong."""

import errno
import importlib.metadata
import os
import platform
import shutil
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from lrsym.config.trial import TRAINER_VERSION
from lrsym.errors import DamagedPartWarning, UsageError
from lrsym.results.store.filesystem import LocalFolder
from lrsym.results.store.part_file import list_parts
from lrsym.results.store.schema import TABLES
from lrsym.results.store.store import Store
from lrsym.results.store.table import SCHEMA_VERSION
from lrsym.sweep.execution.lease import live_claims
from lrsym.sweep.execution.provenance import PACKAGE, git_state, hardware
from lrsym.sweep.planning.settings import available_cores, has_driver, has_gpu

_LIBRARIES = ("torch", "ray", "optuna", "polars", "pyarrow", "altair", "numpy", "scipy", "pydantic", "scikit-learn")

_VARIABLES = (
    "LRSYM_RESULTS", "RAY_ADDRESS", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TMPDIR",
    "PYTHONPATH",
)  # fmt: skip
"""Variables of the environment that change what lrsym does; no other is told, as it may hold a secret."""

MIN_FREE_BYTES = 1 << 30
"""With less room than this a sweep may not get far."""


@dataclass
class Diagnosis:
    """Facts by section, and what is wrong, each with its remedy."""

    facts: dict[str, dict[str, object]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def diagnose(results: str) -> Diagnosis:
    """Return what there is to say of this installation, this machine and the results folder; nothing is written."""
    found = Diagnosis()
    _add_versions(found)
    _add_machine(found)
    found.facts["environment"] = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    _add_results(found, results)
    return found


def _add_versions(found: Diagnosis) -> None:
    commit, dirty = git_state(PACKAGE)
    facts: dict[str, object] = {
        "lrsym": importlib.metadata.version("lrsym"), "commit": commit, "uncommitted changes": dirty,
        "trainer": TRAINER_VERSION, "schema": SCHEMA_VERSION, "package": str(PACKAGE),
        "python": platform.python_version(), "executable": sys.executable, "system": platform.platform(),
    }  # fmt: skip
    for library in _LIBRARIES:
        try:
            facts[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            facts[library] = None
            if library != "scikit-learn":  # that of an extra
                found.problems.append(f"{library} is not installed; install lrsym anew: pip install lrsym")
    found.facts["versions"] = facts


def _add_machine(found: Diagnosis) -> None:
    facts: dict[str, object] = {
        "processor": hardware("cpu"), "cores for workers": available_cores(), "memory": _memory(),
        "GPU": hardware("cuda") if has_gpu() else None,
    }  # fmt: skip
    if has_driver(Path("/dev")) and not has_gpu():
        found.problems.append(
            "this machine has a GPU's driver, but torch sees no GPU; install a torch for its CUDA version, or look "
            "at CUDA_VISIBLE_DEVICES"
        )
    found.facts["machine"] = facts


def _memory() -> str | None:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (ValueError, OSError):
        return None


def _add_results(found: Diagnosis, results: str) -> None:
    found.facts["results"] = facts = dict[str, object](folder=results)
    try:
        store = Store(results)
        if not store.files.exists():
            facts["exists"] = False
            return
        facts |= {"folder": store.files.uri(), "exists": True}
        listings = {name: list_parts(store.files, name) for name in TABLES}
        facts["parts"] = {name: len(listing.parts) for name, listing in listings.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DamagedPartWarning)
            facts["trials"] = dict(store.scan("trials").group_by("status").len().sort("status").collect().iter_rows())
        facts["sweeps running"] = [str(claim.holder) for claim in live_claims(store.files).values()]
        damaged = [damage for one in listings.values() for damage in (*one.damaged, *one.misnamed)]
        found.problems += [f"{store.root}/{damage.file} {damage.why}; restore or remove it" for damage in damaged]
        store.prove_writable()
        if isinstance(store.files, LocalFolder):
            free = shutil.disk_usage(store.files.uri()).free
            facts["free"] = f"{free / 2**30:.1f} GiB"
            if free < MIN_FREE_BYTES:
                found.problems.append(f"only {free / 2**20:.0f} MiB are free where {results} lies; make room")
    except UsageError as error:
        found.problems.append(str(error))
    except OSError as error:
        remedy = "see to its permissions, or name another"
        if error.errno == errno.EROFS:
            remedy = "it can be read alone: train into another folder, and name places for pictures with --out"
        found.problems.append(f"{results} cannot be used: {error.strerror}; {remedy}")
