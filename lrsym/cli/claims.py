"""The verb `lrsym claims`: ask a file of claims, train what it lacks where wanted, print verdicts, write the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lrsym.cli.errors import FAILED, INTERRUPTED
from lrsym.cli.options import RESULTS, Device, Engine, Json, Pack, Results, Workers, axis_names, load_sweep, resolve
from lrsym.cli.output import Output, command_line, message
from lrsym.errors import UsageError

if TYPE_CHECKING:
    from lrsym.claims.file import Claim, ClaimsFile
    from lrsym.claims.judging import JudgedClaim, Trained
    from lrsym.results.plots.theme import Drawn
    from lrsym.sweep.planning.settings import Settings
    from lrsym.sweep.spec.sweep_file import Sweep

ClaimsPath = Annotated[Path, typer.Argument(help="Claims file (TOML).", show_default=False)]
Ids = Annotated[list[str] | None, typer.Option("--claim", help="Only this claim; repeat for more. [default: all]")]
Run = Annotated[bool, typer.Option("--run", help="First train what the sweeps of these claims lack.")]
Out = Annotated[Path | None, typer.Option(help="The page. [default: RESULTS/claims/NAME.html]")]
NoPage = Annotated[bool, typer.Option("--no-page", help="Write no page.")]


@dataclass(frozen=True)
class _Asked:
    """The claims to ask, with the sweep of every arm by its path as the claims file writes it."""

    file: "ClaimsFile"
    claims: "tuple[Claim, ...]"
    sweeps: "dict[str, Sweep]"
    results: Path

    def command(self, ids: Sequence[str], options: Mapping[str, object] | None = None) -> str:
        """The command that asks the claims with these ids again."""
        line = command_line("claims", self.file.path, self.results, options)
        return line + "".join(f" --claim {name}" for name in ids)


def claims(
    file: ClaimsPath,
    results: Results = RESULTS,
    claim: Ids = None,
    run: Run = False,
    workers: Workers = "auto",
    pack: Pack = "auto",
    device: Device = "auto",
    engine: Engine = "auto",
    out: Out = None,
    no_page: NoPage = False,
    json: Json = False,
) -> None:
    """Whether the tables support or refute the claims of a file, or leave them undecided."""
    ids = claim or []
    if out is not None and no_page:
        raise UsageError("--out and --no-page exclude each other; choose one")
    asked = _checked(file, ids, results)
    chosen = {"workers": workers, "pack": pack, "device": device, "engine": engine}
    train, failed = asked.command(ids, chosen) + " --run", 0
    if run:
        failed = _train(asked, resolve(engine=engine, device=device, workers=workers, pack=pack), again=train)
    elif not results.is_dir():
        raise UsageError(f"there are no results in {results}; train with --run, or name their folder with --results")
    judged, trained = _judged(asked)
    page = None if no_page else _write_page(asked, judged, ids, out)
    report, text = _report(asked, judged, ids, page)
    text += _gaps(trained.values(), train)
    Output(as_json=json).result(report, text if page is None else [*text, str(page)])
    if failed:
        raise typer.Exit(FAILED)


def _checked(file: Path, ids: Sequence[str], results: Path) -> _Asked:
    """What to ask, after all of the file is checked, its SQL and the sweeps it names included."""
    from lrsym.claims.file import load
    from lrsym.claims.tables import check_estimates

    claims_file = load(file)
    chosen = claims_file.select(ids)
    sweeps: dict[str, Sweep] = {}
    for one in claims_file.claims:
        for arm, name in one.sweeps.items():
            if name in sweeps:
                continue
            try:
                sweeps[name] = load_sweep(file.parent / name)
            except UsageError as error:
                raise claims_file.error(one, f"sweeps.{arm}", f"the sweep of arm {arm!r} is wrong: {error}") from None
    check_estimates(claims_file, claims_file.claims)
    for one in claims_file.claims:
        if one.picture is not None:
            _check_picture(claims_file, one)
    return _Asked(claims_file, chosen, sweeps, results)


def _check_picture(file: "ClaimsFile", claim: "Claim") -> None:
    from lrsym.results.plots.draw import check_picture

    assert claim.picture is not None
    try:
        check_picture(claim.picture.kind, where=claim.picture.where, metric=claim.picture.metric)
    except UsageError as error:
        raise file.error(claim, "picture", str(error)) from None


def _train(asked: _Asked, settings: "Settings", *, again: str) -> int:
    """Train what the sweeps of the chosen claims lack; how many trials failed. Leaves with 130 after Ctrl-C."""
    from lrsym.results.store.store import Store
    from lrsym.sweep.driver import run
    from lrsym.sweep.execution.progress import duration, failures, retried
    from lrsym.sweep.pilot.choice import plan_and_choose

    store, failed = Store(str(asked.results)), 0
    wanted = {(asked.file.path.parent / name).resolve(): name for c in asked.claims for name in c.sweeps.values()}
    for name in wanted.values():
        sweep = asked.sweeps[name]
        choice = plan_and_choose(sweep, store, settings, want_cost=False, on_message=message)
        plan = choice.plan
        if not plan.pending:
            continue
        typer.echo(f"{sweep.name}: training {plan.pending} of {plan.trials} trials; {choice.why}", err=True)
        outcome = run(plan, store, settings)
        ended = f"{outcome.statuses['done']} trials trained in {duration(outcome.seconds)}"
        typer.echo(f"{sweep.name}: {ended}{failures(outcome.statuses)}", err=True)
        if outcome.interrupted:
            typer.echo(
                f"stopped with {outcome.pending} trials of {sweep.name} left; finished packs are kept. Go on: {again}",
                err=True,
            )
            raise typer.Exit(INTERRUPTED)
        failed += retried(outcome.statuses)
    return failed


def _judged(asked: _Asked) -> "tuple[list[JudgedClaim], dict[str, Trained]]":
    """The verdicts, and every sweep they rest on by its path in the claims file."""
    from lrsym.claims.judging import judge_claim, trained

    found: dict[str, Trained] = {}
    for name in dict.fromkeys(name for one in asked.claims for name in one.sweeps.values()):
        sweep = asked.sweeps[name]
        found[name] = trained(asked.results, sweep=sweep.name, trial_ids=[t.trial_id for t in sweep.trials])
    judged = [
        judge_claim(asked.file, one, [(arm, found[name]) for arm, name in one.sweeps.items()]) for one in asked.claims
    ]
    return judged, found


def _write_page(asked: _Asked, judged: "Sequence[JudgedClaim]", ids: Sequence[str], out: Path | None) -> Path:
    from lrsym.claims.page import Section, render
    from lrsym.results.plots.theme import write_whole

    name = "-".join([asked.file.name, *(one.claim.id for one in judged if ids)])
    path = (out or asked.results / "claims") / f"{name}.html" if out is None or out.is_dir() else out
    sections = [Section(one, asked.command([one.claim.id]), _pictures(asked, one.claim)) for one in judged]
    page = render(asked.file, sections, results=str(asked.results), command=asked.command(ids))
    return write_whole(path, page.encode())


def _pictures(asked: _Asked, claim: "Claim") -> "dict[str, Drawn | str]":
    """The picture of each arm, or in words why there is none."""
    if claim.picture is None:
        return {}
    from lrsym.results.plots.draw import draw

    wanted, found = claim.picture, {}
    for arm, name in claim.sweeps.items():
        sweep = asked.sweeps[name]
        try:
            drawn = draw(
                wanted.kind, asked.results, trial_ids=[t.trial_id for t in sweep.trials], varied=axis_names(sweep),
                where=wanted.where, metric=wanted.metric,
            )  # fmt: skip
            found[arm] = drawn or f"No rows to draw a picture of kind {wanted.kind} from."
        except UsageError as error:  # too many cells for one picture, say: the verdicts stand without it
            told = asked.file.error(claim, "picture", f"no picture of arm {arm!r}: {error}")
            typer.echo(f"warning: {told}", err=True)
            found[arm] = f"No picture: {error}"
    return found


def _report(
    asked: _Asked, judged: "Sequence[JudgedClaim]", ids: Sequence[str], page: Path | None
) -> tuple[dict[str, object], list[str]]:
    """Everything for programs, and the table of verdicts for a reader."""
    from lrsym.claims.judging import counts
    from lrsym.claims.report import as_data, lines

    found = counts(judged)
    report = {
        "name": asked.file.name, "file": str(asked.file.path), "results": str(asked.results), "counts": found,
        "page": None if page is None else str(page), "command": asked.command(ids),
        "claims": [as_data(one) for one in judged],
    }  # fmt: skip
    return report, [*_table(lines(judged)), ", ".join(f"{number} {verdict}" for verdict, number in found.items())]


def _gaps(sweeps: "Iterable[Trained]", train: str) -> list[str]:
    """What the store lacks of each sweep, with the command that trains it."""
    from lrsym.claims.report import gaps

    told = [(sweep, gaps(sweep)) for sweep in sweeps]
    return [f"{s.sweep}: {gap}" + (f"; run: {train}" if s.missing else "") for s, gap in told if gap]


def _table(rows: "Sequence[tuple[str, ...]]") -> list[str]:
    """The rows in columns, the verdict in its colour where the terminal shows any."""
    colours = {"supported": "green", "refuted": "red", "undecided": "yellow"}
    rows = [("claim", "arm", "verdict", "n", "parts"), *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    text = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        cells[2] = typer.style(cells[2], fg=colours.get(row[2]))
        text.append("  ".join([*cells, row[4]]).rstrip())
    return text
