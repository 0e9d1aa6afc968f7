"""The one exception that means: the user can mend this. The command line prints it and exits with 2."""


class UsageError(ValueError):
    """A user's mistake; the message gives the rule, the value, the remedy, and the key or line."""
