"""The exception for mistakes that the user can correct, which the command line prints before it exits with 2, and the
warning of files that are damaged."""


class UsageError(ValueError):
    """A user's mistake; the message gives the rule, the value, the remedy, and the key or line."""


class DamagedPartWarning(UserWarning):
    """A file of the results that cannot be read; what was asked for comes without its rows."""


def first_line(error: Exception) -> str:
    """Return what went wrong, without the query plan and the list of every column that polars prints behind it."""
    return str(error).partition("\n")[0].partition("; valid columns")[0]
