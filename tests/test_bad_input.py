"""Some hundred broken files and some damaged stores, and that what must not be is seen."""

import pytest

from tests.bad_input.__main__ import run_files, run_stores
from tests.bad_input.asking import Answer, ask, differences, snapshot


@pytest.mark.slow
def test_broken_files_are_refused_by_their_line_and_nothing_is_written():
    report = run_files(range(500), seed=1)
    assert report.faults == []
    assert min(report.outcomes["valid"], report.outcomes["refused"]) > 30
    assert len(report.kinds) > 14


@pytest.mark.slow
def test_damaged_stores_are_told_and_repaired_and_give_no_row_that_nobody_wrote():
    report = run_stores(range(50), seed=1)
    assert report.faults == []
    assert report.outcomes["repaired"] > 25
    assert len(report.kinds) > 20


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(("x",), None, "", "", "Traceback\nKeyError: 'a'"), "traceback"),
        (Answer(("x",), None, "", "", "Traceback\ntests.TooSlowError"), "no end"),
        (Answer(("x",), 0, "", "Traceback (most recent call last)"), "traceback"),
        (Answer(("x",), 1, "", ""), "exit code"),
        (Answer(("x",), 2, "", ""), "no sentence"),
        (Answer(("x",), 2, "", "error: s.toml:1: a\nerror: s.toml:2: b\n"), "no sentence"),
        (Answer(("x",), 2, "", f"error: s.toml:1: {'a' * 3000}\n"), "a very long sentence"),
        (Answer(("x",), 2, "", "error: it is wrong\n"), "names no file, key or option"),
        (Answer(("x",), 0, "", "warning: \x1b[31m\n"), "letters that no terminal should get"),
    ],
)
def test_an_answer_that_must_not_be_is_seen(answer, kind):
    assert [fault.kind for fault in answer.faults(codes=(0, 2), names=["s.toml"])] == [kind]


SEVERAL = "warning: w\nerror: s.toml:1: a\ns.toml:2: b\n... and 3 more\n"


@pytest.mark.parametrize("err", ["error: s.toml:1: a; b\n", SEVERAL])
def test_a_sentence_for_each_mistake_is_right(err):
    assert [*Answer(("x",), 2, "", err).faults(codes=(0, 2), names=["s.toml"])] == []


def test_an_exception_of_a_verb_is_a_crash_and_a_refusal_is_none(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text("name = 5")
    answer = ask("plan", file, "--results", tmp_path / "r")
    assert (answer.code, answer.crash) == (2, "")
    assert f"error: {file}:1: name must be" in answer.err


def test_whatever_is_written_changed_or_removed_is_seen(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    before = snapshot(tmp_path)
    assert differences(before, snapshot(tmp_path)) == []
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").unlink()
    (tmp_path / "d").mkdir()
    (tmp_path / "c").touch()
    assert differences(before, snapshot(tmp_path)) == ["a", "b", "c", "d"]
