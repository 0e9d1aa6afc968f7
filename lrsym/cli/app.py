"""The command `lrsym`: the verbs put together. Each verb imports what it needs when it runs."""

import sys

import typer

from lrsym.cli.best import best
from lrsym.cli.claims import claims
from lrsym.cli.errors import as_sentence
from lrsym.cli.explain import explain
from lrsym.cli.output import message
from lrsym.cli.plan import plan
from lrsym.cli.plot import plot_app
from lrsym.cli.query import query
from lrsym.cli.reference import axes, columns
from lrsym.cli.refine import refine
from lrsym.cli.status import status
from lrsym.cli.store import compact
from lrsym.cli.sweep import sweep

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Sweeps of CLIP-style models that learn 'left of': plan, train, read, draw.",
)
app.add_typer(plot_app, name="plot")
for verb in (plan, sweep, refine, status, best, query, claims, explain, compact, axes, columns):
    app.command()(verb)


def main() -> None:
    """Run the command; what a user can put right is one line on standard error, and never a traceback."""
    try:
        app()
    except Exception as error:
        if (known := as_sentence(error)) is None:
            raise
        sentence, code = known
        message(f"error: {sentence}")
        sys.exit(code)
