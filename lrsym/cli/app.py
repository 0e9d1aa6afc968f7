"""The command `lrsym`: the verbs put together. Each verb imports what it needs when it runs."""

import contextlib
import errno
import importlib.metadata
import sys
import warnings
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lrsym.cli.best import best
from lrsym.cli.boundary import boundary
from lrsym.cli.check import check
from lrsym.cli.claims import claims
from lrsym.cli.contrast import contrast
from lrsym.cli.doctor import doctor
from lrsym.cli.errors import as_sentence
from lrsym.cli.examples import EXAMPLES
from lrsym.cli.explain import explain
from lrsym.cli.export import export, import_
from lrsym.cli.forget import forget
from lrsym.cli.merge import diff, merge
from lrsym.cli.new import new
from lrsym.cli.output import message
from lrsym.cli.plan import plan
from lrsym.cli.plot import plot_app
from lrsym.cli.query import query
from lrsym.cli.reference import axes, columns
from lrsym.cli.refine import refine
from lrsym.cli.report import report
from lrsym.cli.status import status
from lrsym.cli.store import compact
from lrsym.cli.streams import drop_rest, prepare_streams
from lrsym.cli.sweep import sweep
from lrsym.cli.verify import verify
from lrsym.cli.watch import watch
from lrsym.cli.words import Verb
from lrsym.errors import DamagedPartWarning

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
VERBS = {
    "Daily use": (new, plan, sweep, status, watch, refine),
    "Reading": (plot_app, report, query, contrast, boundary, best, claims, explain),
    "Elsewhere": (export, import_),
    "Upkeep": (check, verify, compact, diff, merge, forget, axes, columns, doctor),
}
"""The verbs as the help shows them."""

for group, verbs in VERBS.items():
    for verb in verbs:
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name="plot", rich_help_panel=group)
        else:
            name = verb.__name__.rstrip("_")  # import is a word of Python
            app.command(name, cls=Verb, rich_help_panel=group, epilog=f"Example: {EXAMPLES[name]}")(verb)
for picture in plot_app.registered_commands:
    picture.cls, picture.epilog = Verb, f"Example: {EXAMPLES[f'plot {picture.name}']}"


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"lrsym {importlib.metadata.version('lrsym')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
]


@app.callback()
def lrsym(version: Version = False) -> None:
    """Sweeps of CLIP-style models that learn 'left of': plan, train, read, draw."""


def main() -> None:
    """Run the command; what a user can put right is one line on standard error, and never a traceback."""
    prepare_streams()
    try:
        with _warnings_as_messages():
            # The code of typer.Exit, None where a verb just ended.
            stop = SystemExit(app(prog_name="lrsym", standalone_mode=False))
    except SystemExit as left:
        stop = left
    except BaseException as error:  # one that polars raises is no Exception
        if (code := _print_sentence(error)) is None:
            raise
        _flush()
        sys.exit(code)
    sys.exit(_code(stop, _flush()))


def _print_sentence(error: BaseException) -> int | None:
    """Print the sentence for `error` and return the exit code; None where it is a mistake of lrsym itself."""
    if (known := as_sentence(error)) is None:
        return None
    sentence, code = known
    if sentence:
        with contextlib.suppress(OSError):  # nobody can read it
            message(f"error: {sentence}")
    return code


def _flush() -> OSError | None:
    """Write out what was printed; return why that cannot be. The interpreter would print a traceback at its end."""
    failed = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            failed = failed or OSError(error.errno, error.strerror, stream.name)
            drop_rest(stream)
    return failed


def _code(stop: SystemExit, failed: OSError | None) -> int | str | None:
    """Return the exit code of a verb; another where it ended well, but its output is lost."""
    if failed is None or failed.errno == errno.EPIPE or stop.code:  # a reader such as `head` has seen enough
        return stop.code
    return _print_sentence(failed)


@contextlib.contextmanager
def _warnings_as_messages() -> Iterator[None]:
    """Print each warning about the results once, as a line."""
    shown, show = set[str](), warnings.showwarning

    def show_once(text: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, DamagedPartWarning):
            show(text, category, *place, **more)
        elif str(text) not in shown:
            shown.add(str(text))
            message(f"warning: {text}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", DamagedPartWarning)
        warnings.showwarning = show_once
        yield
