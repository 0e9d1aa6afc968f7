"""The verb `lrsym claims`: check a file of claims, train what it lacks where wanted, print verdicts, write the page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lrsym.cli.errors import FAILED, stopped_code
from lrsym.cli.options import CHOOSING, RESULTS, Json, Results, Theme, parse_out, with_options
from lrsym.cli.output import Coloured, Output, command_line, lessons, message, output_path
from lrsym.errors import UsageError, counted, printable

if TYPE_CHECKING:
    from lrsym.claims.check import CheckedClaims
    from lrsym.claims.judging import JudgedClaim
    from lrsym.sweep.planning.settings import Settings
    from lrsym.sweep.spec.sweep_file import Sweep

ClaimsPath = Annotated[Path, typer.Argument(help="Claims file (TOML).", show_default=False)]
Ids = Annotated[
    list[str] | None, typer.Option("--claim", help="Id of a claim to judge; repeat for more; by default all are.")
]
Run = Annotated[bool, typer.Option("--run", help="First train what the sweeps of these claims lack.")]
Out = Annotated[
    Path | None,
    typer.Option(
        parser=parse_out, metavar="PATH", help="HTML file to write, or its folder; by default RESULTS/claims/NAME.html."
    ),
]
Register = Annotated[
    bool,
    typer.Option(
        "--register", help="Write the ranges into the ledger beside the file, before they have rows; judge nothing."
    ),
]
NoPage = Annotated[bool, typer.Option("--no-page", help="Write no page.")]


@with_options(CHOOSING)
def claims(
    file: ClaimsPath,
    results: Results = RESULTS,
    claim: Ids = None,
    run: Run = False,
    register: Register = False,
    theme: Theme = "light",
    out: Out = None,
    no_page: NoPage = False,
    json: Json = False,
    **options: Any,
) -> None:
    """Whether the tables support or refute the claims of a file, or leave them undecided."""
    from lrsym.claims.check import check
    from lrsym.claims.judging import judge_claims, train_missing
    from lrsym.claims.report import gap_lines
    from lrsym.results.store.place import require_results

    ids = claim or []

    def train_command(options: Mapping[str, object]) -> str:
        return _command(file, results, ids, options) + " --run"

    checked, failed = check(file, ids), 0
    if register:
        _register(checked, results, as_json=json)
        return
    training = None
    if run:
        from lrsym.api.execution import make_settings

        training = _Training(results, make_settings(**options), lambda fitting: train_command({**options, **fitting}))
        failed = sum(train_missing(checked, results, training))
    else:
        require_results(results, remedy="train with --run")
    judged = judge_claims(checked, results)
    page = None if no_page else _write_page(checked, judged, results, ids, out, theme)
    again = _command(file, results, ids)
    report, text = _report(checked, judged, results=results, page=page and str(page), command=again)
    text += gap_lines(judged, train=training.again if training else train_command(options))
    Output(as_json=json).result(report, [*text, str(page)] if page else text)
    if failed:
        raise typer.Exit(FAILED)


def _command(file: Path, results: str, ids: Sequence[str], options: Mapping[str, object] | None = None) -> str:
    """Return the command that asks the claims with these ids again."""
    return command_line("claims", file, results, options) + "".join(f" --claim {name}" for name in ids)


class _Training:
    """Trains what sweeps lack, one after the other; they share one limit of hours.

    `command` gives the command that goes on, from the options that what did not fit into memory changes.
    """

    def __init__(self, results: str, settings: "Settings", command: Callable[[Mapping[str, object]], str]) -> None:
        self._results, self._settings, self._command, self._hours = results, settings, command, 0.0
        self._fitting: dict[str, object] = {}

    @property
    def again(self) -> str:
        """The command that goes on."""
        return self._command(self._fitting)

    def __call__(self, sweep: "Sweep") -> int:
        """Return how many trials failed. Exits with 130 after Ctrl-C."""
        from lrsym.results.store.store import Store
        from lrsym.sweep.driver import plan_and_choose, run
        from lrsym.sweep.execution.progress import duration, failures, retried
        from lrsym.sweep.planning.hour_limit import HourLimitError

        store, settings = Store(self._results), self._settings.after(self._hours)
        try:
            choice = plan_and_choose(sweep, store, settings, on_message=message)
        except HourLimitError:
            if not self._hours:
                raise
            message(f"{sweep.name}: left out by {self._settings.limit}. Go on: {self.again}")
            return 0
        plan = choice.plan
        message(f"{sweep.name}: training {plan.packs.n_trials} of {plan.trials} trials; {choice.why}")
        outcome = run(plan, store, settings)
        self._hours += outcome.hours
        self._fitting |= lessons(outcome, {})
        left = f"{counted(outcome.pending, 'trial')} of {sweep.name} left"
        ended = f"{counted(outcome.statuses['done'], 'trial')} trained in {duration(outcome.seconds)}"
        message(f"{sweep.name}: {ended}{failures(outcome.statuses)}")
        if outcome.stopped_by:
            message(f"stopped with {left}; finished packs are kept. Go on: {self.again}")
            raise typer.Exit(stopped_code(outcome.stopped_by))
        if outcome.pending:
            message(f"{left}{self._settings.out_by}. Go on: {self.again}")
        return retried(outcome.statuses)


def _register(checked: "CheckedClaims", results: str, *, as_json: bool) -> None:
    """Write what the ledger lacks; tell which of the ranges have rows already."""
    from lrsym.claims.judging import register_claims
    from lrsym.results.plots.save import write_file

    ledger, new = register_claims(checked, results)
    if new:
        write_file(ledger.path, ledger.text().encode())
    late = [one for one in new if one.newest_row is not None]
    report = {
        "ledger": str(ledger.path),
        "registered": len(new),
        "entries": len(ledger.entries),
        "with_rows": len(late),
    }
    text = f"{ledger.path}: {len(new)} ranges registered, {len(ledger.entries) - len(new)} were there; commit it"
    warning = f"{len(late)} of them have rows in {results} already and count as set after rows"
    Output(as_json=as_json).result(report, [text, *([warning] if late else [])])


def _write_page(
    checked: "CheckedClaims",
    judged: "Sequence[JudgedClaim]",
    results: str,
    ids: Sequence[str],
    out: Path | None,
    theme: str,
) -> Path:
    """Write the page in a theme; standard error says which pictures do not fit. That of some claims is named so."""
    from lrsym.claims.page import Section, render_page
    from lrsym.claims.pictures import draw_pictures
    from lrsym.results.plots.save import write_file
    from lrsym.results.plots.sweep_rows import NothingToDrawError

    file, sections = checked.file, []
    for one in judged:
        pictures = draw_pictures(checked, one.claim, results)
        for arm, picture in pictures.items():
            if isinstance(picture, UsageError) and not isinstance(picture, NothingToDrawError):
                why = file.error(one.claim, "picture", f"no picture of arm {arm!r}: {picture}")
                message(f"warning: {why}")
        sections.append(Section(one, _command(file.path, results, [one.claim.id]), pictures))
    name = "-".join([file.name, *(one.claim.id for one in judged if ids)])
    path = output_path(out, name, folder="claims", results=results, suffix=".html")
    page = render_page(file, sections, results=results, command=_command(file.path, results, ids), theme=theme)
    return write_file(path, page.encode())


def _report(
    checked: "CheckedClaims", judged: "Sequence[JudgedClaim]", *, results: str, page: str | None, command: str
) -> tuple[dict[str, object], list[str]]:
    """Return everything for programs, and the table of verdicts for a reader."""
    from lrsym.claims.judging import count_verdicts
    from lrsym.claims.report import as_data, table_rows

    file, counts, corrected = checked.file, count_verdicts(judged), count_verdicts(judged, corrected=True)
    report = {
        "name": file.name, "file": str(file.path), "results": results, "counts": counts, "holm": corrected,
        "page": page, "command": command, "claims": [as_data(one) for one in judged],
    }  # fmt: skip
    return report, [
        *_in_columns(table_rows(judged)),
        _in_words(counts),
        f"after Holm's correction for all parts of the file: {_in_words(corrected)}",
    ]


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items())


def _in_columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows in columns, the verdict in its colour where the terminal shows any."""
    colours = {"supported": "green", "refuted": "red", "undecided": "yellow", "untestable": "yellow"}
    rows = [("claim", "arm", "verdict", "n", "parts"), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    text = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        cells[2] = typer.style(cells[2], fg=colours.get(row[2]))
        text.append(Coloured("  ".join([*cells, row[4]]).rstrip()))
    return text
