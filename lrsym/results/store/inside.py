"""Names of files of a results folder: none of them leads out of it, whoever made it up."""

from lrsym.errors import UsageError


def require_inside(root: str, name: str) -> str:
    """Return `name`. Raises UsageError where it is absolute or has a part `..`: it may come from rows of others."""
    if name.startswith("/") or ".." in name.split("/"):
        raise UsageError(
            f"names of files in results lead to nothing outside, got {name!r} in {root}; rows with such a name are not "
            "of lrsym: do not use their folder"
        )
    return name
