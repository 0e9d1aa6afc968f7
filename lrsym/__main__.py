"""The command `lrsym`, also as `python -m lrsym`: it ends quietly on Ctrl-C while it is still being loaded."""

import atexit
import gc
import signal
import sys

FIRST_COLLECTION = 50_000
"""New objects that make the collector look: modules make as many, which all stay, and it would go through them again
and again and once more at the end."""


def main() -> None:
    """Load the command line and run it."""
    gc.set_threshold(FIRST_COLLECTION)
    try:
        from lrsym.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except SystemExit as end:
        if "ray" in sys.modules:  # its threads crash the interpreter's end now and then
            from lrsym.sweep.workers.processes import exit_now

            atexit._run_exitfuncs()
            exit_now(end.code if isinstance(end.code, int) else int(end.code is not None))
        raise
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
