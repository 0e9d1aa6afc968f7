"""The exception for mistakes that the user can correct. The command line prints it and exits with 2."""


class UsageError(ValueError):
    """A user's mistake; the message gives the rule, the value, the remedy, and the key or line."""


def file_sentence(error: OSError) -> str | None:
    """Return what a user can do about a file that could not be read or written; None where no path is named."""
    if error.filename is None:
        return None
    return f"{error.filename}: {error.strerror}; check path, permissions and free space"


def table_sentence(error: Exception) -> str:
    """Return what a user can do about a table that polars could not read."""
    why = first_line(error)
    return f"a table in the results cannot be read: {why}; move foreign or damaged files out of the folder"


def first_line(error: Exception) -> str:
    """Return what went wrong, without the query plan and the list of every column that polars prints behind it."""
    return str(error).partition("\n")[0].partition("; valid columns")[0]
