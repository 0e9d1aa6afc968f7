"""Writing a selection of trials as another tool has them."""

from dataclasses import replace
from pathlib import Path

from lrsym.errors import UsageError
from lrsym.exchange.csv_folder import export_csv
from lrsym.exchange.duckdb_file import export_duckdb
from lrsym.exchange.mlflow_store import export_mlflow
from lrsym.exchange.outcome import Exported
from lrsym.exchange.selection import Selection
from lrsym.exchange.tensorboard_logs import export_tensorboard
from lrsym.exchange.wandb_folder import export_wandb
from lrsym.results.store.filesystem import LocalFolder, open_filesystem
from lrsym.results.store.object_access import shown
from lrsym.toml_source import suggest
from lrsym.vocabulary import EXPORTS

FOLDER = "exports"
"""Of the results, in which exports lie unless another place is named."""

_WRITE = {
    "csv": export_csv, "duckdb": export_duckdb, "tensorboard": export_tensorboard, "wandb-offline": export_wandb,
}  # fmt: skip


def check_target(to: str) -> None:
    """Raise UsageError unless `to` is one of EXPORTS."""
    if to not in EXPORTS:
        hint = suggest(to, EXPORTS) or "choose one of them"
        raise UsageError(f"--to must be one of {', '.join(EXPORTS)}, got {to}; {hint}")


def export(chosen: Selection, to: str, out: str | None = None) -> Exported:
    """Write what was selected as `to`, one of EXPORTS, at `out`, by default in the folder `exports` of its results.

    The same export again writes what has changed and nothing twice. Raises UsageError as the functions of each kind.
    """
    check_target(to)
    if out is not None and "://" in out and to != "mlflow":
        raise UsageError(f"--out must be a path on this machine, got {shown(out)}; only mlflow takes an address")
    if to == "mlflow":
        done = export_mlflow(chosen, out or str(_folder(chosen.root) / "mlflow.db"))
    else:
        name = f"{chosen.name}.duckdb" if to == "duckdb" else f"{chosen.name}-{to.partition('-')[0]}"
        done = _WRITE[to](chosen, _folder(chosen.root) / name if out is None else Path(out))
    return replace(done, trials=chosen.trials.height)


def _folder(root: str) -> Path:
    """Return the folder of exports: in the results, or where the command runs if those are in an object store."""
    files = open_filesystem(root)
    return Path(files.root, FOLDER) if isinstance(files, LocalFolder) else Path(FOLDER)
