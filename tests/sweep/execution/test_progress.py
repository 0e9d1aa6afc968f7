import io
from collections import Counter

import pytest
from rich.console import Console

from lrsym.sweep.execution.events import PackEvent
from lrsym.sweep.execution.progress import Display, duration, failures, retried
from lrsym.sweep.planning.packing import make_packs
from tests.small_trials import small

PACKS = make_packs([small(seed=s, optim__steps=n) for s, n in enumerate((30, 30, 20))], size=2)
LONG, SHORT = PACKS


@pytest.fixture
def clock():
    """The time that the display sees, in seconds."""
    return [0.0]


@pytest.fixture
def shown(clock):
    return Display(PACKS, console=Console(file=io.StringIO(), width=200), clock=lambda: clock[0])


def update(shown, pack, completed, **ended):
    shown.update(pack, PackEvent(pack.id, completed, Counter(ended) or None))


def printed(shown):
    return shown._console.file.getvalue()


def test_trials_are_counted_by_status_when_their_pack_ends(shown, clock):
    update(shown, LONG, 0.5)
    assert shown.ended == 0
    update(shown, LONG, 1.0, done=1, diverged=1)
    assert shown.ended == 2
    assert shown.statuses == {"done": 1, "diverged": 1}


def test_without_a_terminal_there_is_one_line_a_while_with_rate_and_time_left(shown, clock):
    clock[0] = 20
    update(shown, LONG, 0.25)
    assert printed(shown) == ""
    clock[0] = 40
    update(shown, LONG, 1.0, done=1, crashed=1)
    # 45 of 80 trial-steps in the 20 s since the first report: 1.69 of 3 trials; 20 steps are still to come.
    assert printed(shown) == "trials 2/3  5.1 a minute, 9 s left, 1 crashed\n"
    clock[0] = 50
    update(shown, SHORT, 0.5)
    assert printed(shown).count("\n") == 1


def test_the_last_second_is_not_told_as_none_left(shown, clock):
    clock[0] = 40
    update(shown, LONG, 1.0, done=2)
    clock[0] = 80
    update(shown, SHORT, 1.0)
    assert printed(shown).splitlines()[-1] == "trials 2/3  2.2 a minute, about to end"


def test_a_pack_that_starts_again_takes_its_progress_back(shown, clock):
    clock[0] = 31
    update(shown, LONG, 0.5)
    clock[0] = 62
    update(shown, LONG, 0.0)
    assert printed(shown).splitlines() == ["trials 0/3  training"] * 2


def four(clock):
    """A display of four packs of one trial of 100 steps, which shows every event, and those packs."""
    packs = make_packs([small(seed=s, optim__steps=100) for s in range(4)], size=1)
    console = Console(file=io.StringIO(), width=200)
    return Display(packs, console=console, clock=lambda: clock[0], quiet_seconds=0), packs


@pytest.mark.parametrize("start", [1, 25])
@pytest.mark.parametrize("apart", [0, 4, 9.5])
def test_before_any_pack_has_ended_its_steps_tell_the_time_left_however_long_workers_took_to_start(clock, start, apart):
    shown, (one, two, *_) = four(clock)
    lines = []
    # Of two workers, one of which begins later, each does 10 of 100 steps in 10 s.
    reports = [(start + shift + 10 * n, n, pack) for pack, shift in ((one, 0), (two, apart)) for n in (1, 2, 3)]
    for at, n, pack in sorted(reports, key=lambda report: report[0]):
        clock[0] = at
        update(shown, pack, n / 10)
        lines.append(printed(shown).splitlines()[-1])
    assert lines[:2] == ["trials 0/4  training"] * 2
    # Two steps a second; of 400 steps 340 are still to come, or 350 if the last two reports came in one moment.
    assert {line.partition(",")[0] for line in lines[2:]} == {"trials 0/4  1.2 a minute"}
    assert lines[-1].endswith(", 3 min left")


def test_a_pack_that_was_halved_or_waits_to_be_tried_again_does_not_count_as_one_that_trains(clock):
    shown, (one, two, *_) = four(clock)
    for at, pack, completed in ((20, one, 0.1), (20, two, 0.1), (30, one, 0.2), (31, one, 0), (100, two, 0.9)):
        clock[0] = at
        update(shown, pack, completed)
    # 90 of 400 steps, 20 of them before the first reports, 80 s ago.
    assert shown._rate() == pytest.approx(shown._all_work * 70 / 400 / 80)


def test_where_packs_end_with_their_first_report_the_rate_counts_from_the_start(shown, clock):
    clock[0] = 40
    update(shown, LONG, 1.0, done=2)
    assert shown._rate() == pytest.approx(shown._all_work * 3 / 4 / 40)


def test_what_is_said_beside_the_progress_holds_no_commands_to_a_terminal(shown):
    shown.say("process 7 on \x1b[2Jhost trains [red]as well")
    assert printed(shown) == "process 7 on \\x1b[2Jhost trains [red]as well\n"


def test_only_what_went_wrong_is_named_and_only_infrastructure_is_tried_again():
    statuses = Counter(done=5, diverged=1, timeout=2, crashed=0)
    assert failures(statuses) == ", 1 diverged, 2 timeout"
    assert failures(Counter(done=5)) == ""
    assert retried(statuses) == 2


@pytest.mark.parametrize(("seconds", "text"), [(4, "4 s"), (89, "89 s"), (120, "2 min"), (5400, "1.5 h")])
def test_durations_are_in_the_unit_a_person_would_use(seconds, text):
    assert duration(seconds) == text


def test_packs_beyond_what_was_expected_are_shown_too(clock):
    shown = Display(make_packs([], size=1), console=Console(file=io.StringIO(), force_terminal=True), clock=lambda: 0)
    update(shown, PACKS[0], 0.5)
    update(shown, PACKS[0], 1.0, done=len(PACKS[0]))
    assert shown.ended == len(PACKS[0])
