"""The sweep files that come with lrsym: in a checkout beside the package, else where the wheel has put them."""

import importlib.metadata
import re
from pathlib import Path

import lrsym
from lrsym.errors import UsageError
from lrsym.toml_source import suggest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def shipped_sweeps() -> dict[str, Path]:
    """Return the sweep files by name. Raises UsageError where this installation has none."""
    checkout = Path(lrsym.__file__).parents[1]
    if (checkout / "pyproject.toml").is_file() and (checkout / "sweeps").is_dir():
        found = [*(checkout / "sweeps").glob("*.toml")]
    else:
        listed = importlib.metadata.files("lrsym") or []
        found = [Path(str(f.locate())) for f in listed if f.parts[-3:-1] == ("lrsym", "sweeps") and f.suffix == ".toml"]
    if not found:
        raise UsageError("this installation of lrsym has no sweep files; install it from its wheel or a checkout")
    return {path.stem: path for path in sorted(found)}


def as_new_file(name: str, path: Path) -> str:
    """Return the text of the shipped sweep `name`, named after `path` and with the command that runs that file.

    Raises UsageError for a name that is not shipped, and for a path that names no sweep.
    """
    sweeps = shipped_sweeps()
    if name not in sweeps:
        raise UsageError(f"--from must be a shipped sweep, got {name}; {suggest(name, sweeps) or _listed(sweeps)}")
    check_new_name(path)
    text = sweeps[name].read_text()
    text = re.sub(r"(?m)^(# Command: lrsym \w+) \S+", lambda found: f"{found[1]} {path}", text)
    return re.sub(r'(?m)^name = ".*"', f'name = "{path.stem}"', text, count=1)


def check_new_name(path: Path) -> None:
    """Raise UsageError where `path` names no sweep."""
    if path.suffix != ".toml" or not _NAME.fullmatch(path.stem):
        raise UsageError(
            f"a sweep file is named after its sweep (letters, digits, _ and -) and ends in .toml, got {path.name}; "
            "name it for example my-sweep.toml"
        )


def _listed(sweeps: dict[str, Path]) -> str:
    return "shipped are " + ", ".join(sweeps)
