"""Claims files: what is taken, and one message with line, rule and remedy for what is not."""

import re
from pathlib import Path

import pytest

from lrsym.claims.claim import Claim, Part, Picture
from lrsym.claims.file import load, parse
from lrsym.claims.tables import check_estimates
from lrsym.errors import UsageError

GOOD = """name = "paper"
[[claim]]
id = "C6"
sentence = "EP carries the order."
source = "arXiv:2601.12809"
interval = "t"
minimum_n = 5
note = "a note"
[claim.sweeps]
"fixed steps" = "../sweeps/recipe.toml"
"fixed epochs" = "../sweeps/epochs.toml"
[claim.picture]
kind = "phase"
where = "n_pair_labels = 15"
metric = "unseen_order"
[[claim.part]]
name = "without EP"
estimate = "select value from ablations where term = 'EP'"
at_least = 0.4
at_most = 0.6
[[claim.part]]
name = "without PE"
estimate = "select value from ablations where term = 'PE'"
at_least = 0.9
"""
SECOND = """[[claim]]
id = "C7"
sentence = "s"
source = "s"
[claim.sweeps]
"a" = "a.toml"
[[claim.part]]
name = "p"
estimate = "select unseen_order as value from trials"
at_most = 1
"""


def read(text: str):
    """The file, its estimates checked as the verb checks them."""
    file = parse(text, source="c.toml")
    check_estimates(file, file.claims)
    return file


def test_everything_that_a_file_says_is_read():
    file = read(GOOD + SECOND)
    first, second = file.claims
    assert (file.name, first.id, second.id) == ("paper", "C6", "C7")
    assert first.sweeps == {"fixed steps": "../sweeps/recipe.toml", "fixed epochs": "../sweeps/epochs.toml"}
    assert (first.picture.kind, first.picture.where) == ("phase", "n_pair_labels = 15")
    assert [(part.at_least, part.at_most) for part in first.part] == [(0.4, 0.6), (0.9, None)]


@pytest.mark.parametrize("interval", ["wilson", "bootstrap"])
def test_a_resolution_that_the_interval_does_not_heed_is_refused(interval):
    text = GOOD.replace('interval = "t"', f'interval = "{interval}"\nminimum_n = 20').replace("minimum_n = 5\n", "")
    with pytest.raises(
        UsageError, match=rf'^c.toml:\d+: resolution is for interval t and logit, got interval "{interval}"; drop it'
    ):
        read(text.replace("at_most = 0.6", "at_most = 0.6\nresolution = 0.01"))


def test_a_part_may_have_an_interval_of_its_own():
    (claim,) = read(GOOD.replace("at_most = 0.6", 'at_most = 0.6\ninterval = "logit"\nresolution = 0.02')).claims
    assert [claim.interval_of(part) for part in claim.part] == ["logit", "t"]


def test_interval_minimum_n_note_and_picture_may_be_left_out():
    claim = read('name = "x"\n' + SECOND).claims[0]
    assert (claim.interval, claim.minimum_n, claim.note, claim.picture) == ("t", 5, "", None)


def test_claims_are_selected_by_id_in_the_order_of_the_file():
    file = read(GOOD + SECOND)
    assert [claim.id for claim in file.select(["C7", "C6"])] == ["C6", "C7"]
    assert [claim.id for claim in file.select([])] == ["C6", "C7"]
    assert [claim.id for claim in file.select(["C7"])] == ["C7"]


def test_an_id_that_is_not_in_the_file_is_told_with_the_nearest():
    with pytest.raises(UsageError, match=r"--claim must be an id in c.toml, got C66; did you mean C6\?"):
        read(GOOD).select(["C66"])


BAD = {
    "unknown key on top": (('name = "paper"', 'name = "paper"\nnames = 1'), 2, ('unknown key "names"', "name?")),
    "unknown key of a claim": (('note = "a', 'notes = "a'), 8, ('unknown key "notes"', '[[claim]] of "C6"', "note?")),
    "unknown key of a part": (("at_least = 0.9", "atleast = 0.9"), 24, ("[[claim.part]]", "did you mean at_least?")),
    "unknown key of a picture": (("where =", "were ="), 14, ("[claim.picture]", "did you mean where?")),
    "missing name": (('name = "paper"\n', ""), 1, ("name is missing;", 'name = "paper"')),
    "missing sentence": (('sentence = "EP carries the order."\n', ""), 2, ("sentence is missing", "C6")),
    "missing id": (('id = "C6"\n', ""), 2, ("id is missing in [[claim]]; write for example",)),
    "missing estimate": (
        ("estimate = \"select value from ablations where term = 'PE'\"\n", ""),
        21,
        ("estimate is missing in [[claim.part]]", "select unseen_order as value from trials"),
    ),
    "missing kind": (('kind = "phase"\n', ""), 12, ("kind is missing in [claim.picture]", 'kind = "ablation"')),
    "unsafe name": (('name = "paper"', 'name = "a/b"'), 1, ("name must be safe as a file name", 'got "a/b"')),
    "unsafe id": (('id = "C6"', 'id = "C 6"'), 3, ("id must be safe", 'got "C 6"', '"C6"')),
    "empty sentence": (('"EP carries the order."', '" "'), 4, ("sentence must be text",)),
    "interval": (('interval = "t"', 'interval = "bootstap"'), 6, ("one of t, logit, bootstrap", "mean bootstrap?")),
    "minimum_n below two": (("minimum_n = 5", "minimum_n = 1"), 7, ("minimum_n must be a whole number >= 2", "got 1")),
    "too few values for a bootstrap": (
        ('interval = "t"', 'interval = "bootstrap"'),
        7,
        ("at least 20 with interval bootstrap", "got 5; raise it"),
    ),
    "minimum_n as text": (("minimum_n = 5", 'minimum_n = "5"'), 7, ("minimum_n must be a whole number", 'got "5"')),
    "sweeps as list": (
        (
            '[claim.sweeps]\n"fixed steps" = "../sweeps/recipe.toml"\n"fixed epochs" = "../sweeps/epochs.toml"',
            "sweeps=[]",
        ),
        9,
        ("sweeps must be a table of sweep files", "a list of 0"),
    ),
    "a sweep that is no text": (('"../sweeps/recipe.toml"', "5"), 10, ("sweeps must be a table", "got 5")),
    "no sweeps": (
        ('"fixed steps" = "../sweeps/recipe.toml"\n"fixed epochs" = "../sweeps/epochs.toml"\n', ""),
        9,
        ("sweeps must be a table of sweep files by arm, at least one",),
    ),
    "kind of picture": (('kind = "phase"', 'kind = "phases"'), 13, ("kind must be one of", "did you mean phase?")),
    "metric of no use": (
        ('kind = "phase"', 'kind = "ablation"'),
        15,
        ("phase and line and curves", '"ablation"; drop it'),
    ),
    "no range": (("at_least = 0.9\n", ""), 21, ('part "without PE" asserts nothing', "at_least, at_most or both")),
    "range upside down": (("at_least = 0.4", "at_least = 0.7"), 19, ("above at_most, got 0.7 and 0.6; exchange",)),
    "bound as text": (("at_least = 0.4", 'at_least = "0.4"'), 19, ("at_least must be a finite number", 'got "0.4"')),
    "bound not finite": (("at_most = 0.6", "at_most = nan"), 20, ("at_most must be a finite number, got nan",)),
    "bound as truth": (("at_most = 0.6", "at_most = true"), 20, ("at_most must be a finite number, got true",)),
    "bounds upside down": (
        ("at_most = 0.6", "at_most = 0.6\nbounds = [1, 0]"),
        21,
        ("bounds must have the lower first, got [1, 0]; exchange",),
    ),
    "a resolution below 0": (
        ("at_most = 0.6", "at_most = 0.6\nresolution = -1"),
        21,
        ("resolution must be a finite number >= 0, got -1",),
    ),
    "one of two bounds": (
        ("at_most = 0.6", "at_most = 0.6\nbounds = [0]"),
        21,
        ("bounds must be a list of two finite numbers", "got a list of 1; write for accuracies bounds = [0, 1]"),
    ),
    "interval of a part": (
        ("at_most = 0.6", 'at_most = 0.6\ninterval = "logits"'),
        21,
        ("interval must be one of t, logit, bootstrap", "did you mean logit?"),
    ),
    "a name with an escape": (
        ('name = "without EP"', 'name = "\\u001b[31mred"'),
        17,
        ("name must be a line of printable text", "\\u001b", "reword it"),
    ),
    "an arm of two lines": (
        ('"fixed steps" =', '"fixed\\nsteps" ='),
        9,
        ("the name of an arm must be a line of print",),
    ),
    "an arm without a name": (('"fixed steps" =', '"" ='), 10, ("the name of an arm must be a line", 'got ""')),
    "a sweep file that no file can be": (
        ('"../sweeps/recipe.toml"', '"x\\u0000y"'),
        10,
        ("a sweep file must be a line of printable text",),
    ),
    "one number for bounds": (
        ("at_most = 0.6", "at_most = 0.6\nbounds = 1"),
        21,
        ("bounds must be a list of two finite numbers", "got 1; write for accuracies bounds = [0, 1]"),
    ),
    "text in bounds": (
        ("at_most = 0.6", 'at_most = 0.6\nbounds = ["0", 1]'),
        21,
        ("bounds must be a list of two finite numbers",),
    ),
    "part twice": (("without PE", "without EP"), 22, ("name must differ", "line 17 already; choose another")),
    "not TOML": (("minimum_n = 5", "minimum_n ="), 7, ("not valid TOML",)),
    "SQL is none": (("\"select value from ablations where term = 'PE'\"", '"selec"'), 23, ("claim C6", "'without PE'")),
    "unknown column": (("where term = 'PE'", "where terms = 'PE'"), 23, ("claim C6", "'without PE' fails", "terms")),
    "unknown table": (
        ("ablations where term = 'PE'", "ablation"),
        23,
        ("'ablation' was not found", "tables are trials"),
    ),
    "no value": (("select value from ablations where term = 'PE'", "select term from ablations"), 23, ("as value",)),
    "no answer": (("select value from ablations where term = 'PE'", "drop table trials"), 23, ("ask with SELECT",)),
    "text for value": (
        ("select value from ablations where term = 'PE'", "select term as value from ablations"),
        23,
        ("must hold numbers, it holds String",),
    ),
    "null for value": (
        ("select value from ablations where term = 'PE'", "select null as value from ablations"),
        23,
        ("must hold numbers, it holds Null",),
    ),
}


@pytest.mark.parametrize(("change", "line", "expected"), BAD.values(), ids=BAD.keys())
def test_a_mistake_is_told_with_its_line_rule_and_remedy(change: tuple[str, str], line: int, expected: tuple[str, ...]):
    assert GOOD.count(change[0]) >= 1
    with pytest.raises(UsageError) as caught:
        read(GOOD.replace(*change))
    message = str(caught.value)
    assert message.startswith(f"c.toml:{line}: ")
    assert "\n" not in message
    assert [part for part in expected if part not in message] == []


@pytest.mark.parametrize("text", ["claim = 5", "claim = []", "claim = [5]", 'claim = "x"', ""])
def test_a_file_without_claims_is_told_how_one_is_written(text: str):
    with pytest.raises(UsageError, match=r"^c.toml:\d: claim (must be a list of tables|is missing).*\[\[claim\]\]"):
        read(f'name = "x"\n{text}')


def test_an_id_that_stands_twice_is_told_with_the_first_line():
    text = GOOD + SECOND.replace("C7", "C6")
    with pytest.raises(UsageError, match=r'^c.toml:26: id must differ from the others, "C6" stands in line 3 already'):
        read(text)


def test_a_mistake_in_a_later_claim_has_its_own_line():
    with pytest.raises(UsageError, match=r"^c.toml:33: claim C7: estimate of part 'p' fails"):
        read(GOOD + SECOND.replace("unseen_order", "nope"))


def test_a_sweep_file_is_not_taken_for_claims():
    with pytest.raises(UsageError, match=r"replicates.; such a key has a sweep file; claims lie in"):
        read('name = "x"\nreplicates = 2\n[base]\n')


def test_a_missing_file_a_folder_and_bytes_are_told(tmp_path: Path):
    (tmp_path / "claims.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(UsageError, match=r"claims.toml:1: a claims file must be UTF-8 text"):
        load(tmp_path / "claims.toml")
    with pytest.raises(UsageError, match=r"there is no such file; did you mean .*claims.toml\?"):
        load(tmp_path / "claim.toml")
    with pytest.raises(UsageError, match="this is a folder"):
        load(tmp_path)


SHIPPED = sorted((Path(__file__).parents[2] / "claims").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_file_is_named_after_itself_and_opens_with_question_cost_and_command(path: Path):
    assert load(path).name == path.stem
    question, cost, command = path.read_text().splitlines()[:3]
    assert question.startswith("# Question: ")
    assert cost.startswith("# Cost: ")
    assert command.startswith(f"# Command: lrsym claims claims/{path.name}")


def test_the_file_in_the_documentation_is_taken():
    page = Path(__file__).parents[2] / "docs/decisions/claims.md"
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    (claim,) = read(example).claims
    written = set(re.findall(r"^(\w+) =", example, flags=re.MULTILINE))
    keys = {*Claim.model_fields, *Part.model_fields, *Picture.model_fields} - {"sweeps", "picture", "part"}
    assert keys <= written
    assert claim.picture is not None
