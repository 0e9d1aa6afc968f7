"""`python -m lrsym` is the command `lrsym`."""

from lrsym.cli.app import main

if __name__ == "__main__":
    main()
