"""The exception for mistakes that the user can correct. The command line prints it and exits with 2."""


class UsageError(ValueError):
    """A user's mistake; the message gives the rule, the value, the remedy, and the key or line."""


def first_line(error: Exception) -> str:
    """Return what went wrong, without the query plan and the list of every column that polars prints behind it."""
    return str(error).partition("\n")[0].partition("; valid columns")[0]
