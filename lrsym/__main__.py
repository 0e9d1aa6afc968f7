"""The command `lrsym`, also as `python -m lrsym`: it ends quietly on Ctrl-C while it is still being loaded."""

import signal
import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from lrsym.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
