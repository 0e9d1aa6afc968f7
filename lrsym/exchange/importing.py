"""Taking trials of other tools into a folder of their own; which tool follows from what is named."""

import re
from pathlib import Path

from lrsym.errors import UsageError
from lrsym.exchange.optuna_study import read_study
from lrsym.exchange.ray_experiment import read_experiment
from lrsym.exchange.trials_of_others import Imported, write_trials
from lrsym.results.store.filesystem import open_filesystem
from lrsym.results.store.imported import refuse_results
from lrsym.results.store.object_access import shown

_DATABASE = re.compile(r"[a-z]+(\+[a-z0-9]+)?://")


def import_trials(source: str, results: str, *, study: str | None = None) -> Imported:
    """Write the trials of `source` into the folder `results`, in place of those that it has of the same study.

    `source` is the URL of an Optuna storage, or its SQLite file, with the name of the `study` where there are several;
    or the folder of a Ray Tune experiment. Raises UsageError where it is neither, and where `results` holds trials
    that lrsym trained, or other things.
    """
    refuse_results(open_filesystem(results))
    path = Path(source).expanduser()
    if _DATABASE.match(source) or path.is_file():
        found = read_study(source if _DATABASE.match(source) else f"sqlite:///{path.absolute()}", study)
    elif path.is_dir():
        if study is not None:
            raise UsageError(f"--study names an Optuna study, {source} is a folder of Ray Tune; leave it out")
        found = read_experiment(path)
    else:
        raise UsageError(
            "source must be an Optuna storage, such as sqlite:///study.db, or the folder of a Ray Tune experiment, "
            f"and there is no {shown(source)}; check the path"
        )
    return write_trials(found, results)
