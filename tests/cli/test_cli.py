"""The command line as a whole: its help, and mistakes, which are one line with code 2 and write nothing."""

import importlib.metadata
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

import polars as pl
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from lrsym.cli.app import VERBS, app
from lrsym.cli.errors import as_sentence
from lrsym.cli.examples import EXAMPLES
from lrsym.errors import UsageError
from tests.pages import ROOT
from tests.running import HANG_SECONDS, lrsym, lrsym_errors
from tests.small_trials import write_sweep


def test_all_verbs_explain_themselves():
    text = CliRunner().invoke(app, ["--help"]).output
    assert all(verb in text for verb in ("plan", "sweep", "status", "claims", "query", "plot", "compact", "axes"))


def test_the_help_shows_every_verb_once_by_use():
    text = CliRunner().invoke(app, ["-h"], env={"COLUMNS": "200"}).output
    groups = re.split(r"╭─ ([\w ]+?) ─+╮", text)
    shown = {title: re.findall(r"^│ (\w+) ", body, flags=re.MULTILINE) for title, body in itertools.pairwise(groups)}
    verbs = {title: shown[title] for title in VERBS}
    assert [len(found) for found in verbs.values()] == [len(group) for group in VERBS.values()]
    assert {verb for found in verbs.values() for verb in found} == {*get_command(app).commands}


@pytest.mark.parametrize("words", [["sweep"], ["plot"], ["plot", "phase"], ["query"], ["forget"]])
def test_every_verb_explains_itself_by_the_short_option_too(words):
    short, long = (CliRunner().invoke(app, [*words, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.output) == (0, long.output)
    assert "Usage" in short.output


def verbs(command, *words):
    """Every verb with the words that it is called by."""
    for name, verb in command.commands.items():
        yield from verbs(verb, *words, name) if hasattr(verb, "commands") else [((*words, name), verb)]


@pytest.mark.parametrize(("words", "verb"), [pytest.param(*of, id=" ".join(of[0])) for of in verbs(get_command(app))])
def test_the_help_of_a_verb_ends_with_an_example_that_it_takes(words, verb):
    example = EXAMPLES[" ".join(words)]
    assert verb.epilog == f"Example: {example}"
    asked = shlex.split(example)
    assert asked[: 1 + len(words)] == ["lrsym", *words]
    verb.make_context(" ".join(words), asked[1 + len(words) :]).close()  # refuses what it does not know
    assert all((ROOT / word).exists() for word in asked if word.startswith(("sweeps/", "claims/")))


def test_the_version_is_that_of_the_package():
    assert lrsym("--version") == f"lrsym {importlib.metadata.version('lrsym')}\n"


@pytest.mark.slow
def test_the_results_folder_of_the_environment_stands_in_where_none_is_given(trained, monkeypatch, tmp_path):
    path, results = trained
    monkeypatch.setenv("LRSYM_RESULTS", str(results))
    asked = "select count(*) as n from trials"
    assert json.loads(lrsym("query", asked, "--json")) == [{"n": 8}]
    assert "there are no results" in lrsym("query", asked, "--results", tmp_path / "typo", code=2)
    assert f"--yes --results {results}" in lrsym("forget", path)
    monkeypatch.chdir(results.parent)
    assert "--results results" in lrsym("forget", path, "--results", "results")  # the variable names another
    monkeypatch.setenv("LRSYM_RESULTS", "")
    assert "--results" not in lrsym("forget", path)


@pytest.mark.slow_after(10)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plot", "phase", "{file}", "--metric", "nope"], "metric must be"),
        (["plot", "phase", "{file}", "--x", "colour"], "there is no axis colour; layouts_per_pair"),
        (["plot", "phase", "{file}", "--x", "layouts"], "did you mean layouts_per_pair? lrsym axes lists"),
        (["plot", "line", "{file}", "--color", "lr"], "did you mean learning_rate?"),
        (["contrast", "{file}", "--of", "n_pair_label=3", "--against", "seed=1"], "did you mean n_pair_labels?"),
        (["plot", "phase", "{file}", "--where", "layouts = 1"], "did you mean layouts_per_pair? `lrsym axes`"),
        (["plot", "phase", "{file}", "--where", "seed ="], "write for example n_pair_labels = 5; `lrsym axes`"),
        (["plot", "phase", "{file}", "--where", "nope = 3"], "no condition on the table trials"),
        (["plot", "phase", "{file}", "--where", "seed = 99"], "leave --where out"),
        (["plot", "ablation", "{file}", "--split", "train"], "split"),
        (["sweep", "{file}", "--engine", "dask"], "--engine must be one of auto, local, ray"),
        (["sweep", "{file}", "--device", "tpu"], "--device must be one of"),
        (
            ["sweep", "{file}", "--workers", "0"],
            "--workers must be auto or a number of packs trained at a time from 1 to 999,999, got 0; leave it out",
        ),
        (["sweep", "{file}", "--workers", "many"], "--workers must be auto or a number of packs"),
        (["plan", "{file}", "--workers", "-1"], "--workers must be auto or a number of packs"),
        (["sweep", "{file}", "--pack", "many"], "--pack must be auto or a number"),
        (["sweep", "{file}", "--pack", "0"], "--pack must be auto or a number of trials from 1 to 999,999, got 0"),
        (
            ["sweep", "{file}", "--timeout", "-1"],
            "--timeout must be a number of seconds above 0 and at most 1,000,000,000, got -1; leave it out",
        ),
        (["query", "select 1 from trials", "--json", "--csv"], "exclude each other"),
        (["query", "drop table trials"], "ask with SELECT"),
        (["query", "select * from terms", "--csv"], "CSV holds no lists"),
        (["plot", "phase", "{file}", "--threshold", "7"], "--threshold must be"),
        (["plot", "ablation", "{file}", "--split", "train"], "among seen, unseen"),
        (
            ["sweep", "{file}", "--engine", "slurm"],
            "each task of an array trains its share, by --shard I/N: docs/clusters has the files",
        ),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_with_a_remedy_and_code_2(trained, words, message):
    path, results = trained
    before = sorted(p for p in results.rglob("*") if p.is_file())
    text = lrsym(*[w.format(file=path) for w in words], "--results", results, code=2)
    assert text.startswith("error: ")
    assert message in text
    assert sorted(p for p in results.rglob("*") if p.is_file()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep", "x.toml", "--stepz", "5"], "no such option: --stepz"),
        (["sweep", "x.toml", "--workrs", "5"], "no such option: --workrs; did you mean --workers?"),
        (["sweep"], "missing argument 'file'"),
        (["plan", "x.toml", "--until"], "requires an argument"),
        (["status", "x.toml", "y.toml"], "got unexpected extra argument"),
        (["sweeep"], "no such command 'sweeep'"),
        (["plot", "phaze", "x.toml"], "no such command 'phaze'"),
        (["plan", "x.toml", "--\x1b[2J"], "no such option: --"),
    ],
)
def test_words_that_no_verb_takes_are_one_line_that_names_the_help_of_the_verb(words, message):
    text = lrsym(*words, code=2)
    assert text.startswith("error: ")
    assert message in text
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    verb = words[0] if words[0] in ("sweep", "plan", "status", "plot") and "requires" not in message else ""
    assert text.endswith(f"; {f'lrsym {verb}'.strip()} -h lists what there is\n")


@pytest.mark.parametrize("words", [[], ["plot"]])
def test_without_a_verb_the_help_is_shown(words):
    done = subprocess.run([sys.executable, "-m", "lrsym", *words], capture_output=True, text=True, timeout=HANG_SECONDS)
    assert "Usage: " in done.stdout + done.stderr
    assert "error" not in done.stdout + done.stderr
    assert done.returncode == 2


@pytest.mark.slow
def test_completion_of_the_shell_can_be_had():
    words = {"_LRSYM_COMPLETE": "complete_bash", "COMP_WORDS": "lrsym sta", "COMP_CWORD": "1"}
    program = "import sys; sys.argv = ['lrsym']; from lrsym.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        env={**os.environ, **words},
    )
    assert done.stdout.split() == ["status"]


def test_ctrl_c_while_the_command_is_loaded_ends_it_quietly():
    program = (
        "import signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'typer':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from lrsym.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=HANG_SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("verb", ["plan", "sweep", "status"])
def test_a_bad_sweep_file_writes_nothing_and_names_key_and_line(tmp_path, verb):
    path = write_sweep(tmp_path, steps=5)
    path.write_text(path.read_text().replace("[1, 4]", "[1, 60]"))
    text = lrsym(verb, path, "--results", tmp_path / "r", code=2)
    line = path.read_text().splitlines().index('"scenes.layouts_per_pair" = [1, 60]') + 1
    assert text.startswith(f"error: {path}:{line}: ")
    assert "60" in text
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("verb", ["plan", "status"])
def test_a_damaged_part_is_named_once_by_verbs_that_read_and_the_rest_is_read(tmp_path, verb):
    path = write_sweep(tmp_path, steps=5)
    (tmp_path / "r" / "trials").mkdir(parents=True)
    (tmp_path / "r" / "trials" / f"{'0' * 32}.parquet").write_text("no parquet")
    assert lrsym_errors(verb, path, "--results", tmp_path / "r") == (
        f"warning: {tmp_path}/r/trials/{'0' * 32}.parquet is cut short or no Parquet file and is not read, so the rows "
        "of its trials are lost\n"
    )


@pytest.mark.parametrize("words", [("sweep", "FILE"), ("refine", "FILE", "--budget", 8), ("compact",)])
def test_a_damaged_part_is_not_taken_as_not_there_by_verbs_that_write(tmp_path, words):
    path = write_sweep(tmp_path, steps=5)
    (tmp_path / "r" / "curves").mkdir(parents=True)
    damaged = tmp_path / "r" / "curves" / f"{'0' * 32}.parquet"
    damaged.touch()
    text = lrsym(*(path if word == "FILE" else word for word in words), "--results", tmp_path / "r", code=2)
    assert text.startswith(f"error: 1 damaged part in the results: {damaged} is empty, so the curves of its trials")
    assert len(text.splitlines()) == 1
    assert [file.name for file in tmp_path.glob("r/*")] == ["curves"]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UsageError("do this"), "do this"),
        (OSError(28, "No space left on device"), "No space left on device; check path, permissions and free space"),
        (OSError("no path"), "no path; check path"),
        (OSError(), "OSError; check path"),
        (PermissionError(13, "Permission denied", "r/runs"), "r/runs: Permission denied; check path, permissions"),
        (pl.exceptions.SchemaError("extra column"), "a table in the results cannot be read: extra column; move"),
    ],
)
def test_what_a_user_can_put_right_is_a_sentence_and_code_2(error, sentence):
    text, code = as_sentence(error)
    assert text.startswith(sentence)
    assert code == 2


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyError("x"), pl.exceptions.ColumnNotFoundError("x")])
def test_a_mistake_of_lrsym_itself_has_no_sentence_and_keeps_its_traceback(error):
    assert as_sentence(error) is None


ALL_TRIALS = ("query", "select 1 from trials", "--results", "results/reference")


@pytest.mark.slow
def test_output_that_cannot_be_written_is_one_line_and_code_2():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "lrsym", *ALL_TRIALS]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert ended.returncode == 2
    assert ended.stderr == "error: No space left on device; check path, permissions and free space\n"


@pytest.mark.slow
def test_a_working_directory_that_is_gone_is_one_line_and_code_2(tmp_path):
    (tmp_path / "gone").mkdir()
    program = f"import os, sys; os.rmdir({str(tmp_path / 'gone')!r}); from lrsym.cli.app import main; main()"
    command = [sys.executable, "-c", program, *ALL_TRIALS]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "gone")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: the folder that you are in was removed; ")
    assert len(ended.stderr.splitlines()) == 1


def test_no_temporary_folder_is_one_line_and_code_2(tmp_path, monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    path = write_sweep(tmp_path, steps=440_000)
    text = lrsym("plan", path, "--results", tmp_path / "r", code=2)
    assert text.splitlines()[1:] == [
        "error: No usable temporary directory found in ['/tmp']; check path, permissions and free space"
    ]


def test_a_command_that_has_loaded_ray_ends_without_taking_the_interpreter_down():
    program = (
        "import atexit, os, sys, types; import lrsym.cli.app as app, lrsym.sweep.workers.processes as processes\n"
        "from lrsym.__main__ import main\n"
        "end = processes.exit_now; processes.exit_now = lambda code: (print('at once'), end(code))\n"
        "atexit.register(print, 'exit function'); app.main = lambda: sys.exit(3)\n"
        "if LOADED: sys.modules['ray'] = types.ModuleType('ray')\n"
        "main()"
    )
    for loaded, said in ((True, "exit function\nat once\n"), (False, "exit function\n")):
        words = [sys.executable, "-c", program.replace("LOADED", str(loaded))]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=HANG_SECONDS)
        assert (ended.returncode, ended.stdout, ended.stderr) == (3, said, "")
