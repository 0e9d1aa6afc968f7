"""What a claim is: a sentence, the sweeps it is asked of, and the numbers it asserts with their ranges."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lrsym.toml_source import Rule
from lrsym.vocabulary import INTERVALS, PICTURES, TESTS

SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
SAFE_NAME_RULE = "letters, digits, _ and -, the first a letter or digit, at most 64"

_TEXT = r"\S"


class Table(BaseModel):
    """A table of a claims file; each key has the rule that its value keeps."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Part(Table):
    """One number that a claim asserts, and the range it asserts for it."""

    name: Annotated[str, Field(pattern=_TEXT), Rule("text", 'write what is estimated: name = "order without EP"')]
    estimate: Annotated[
        str,
        Field(pattern=_TEXT),
        Rule(
            "an SQL query with a column value, one row for each replicate",
            'write for example estimate = "select unseen_order as value from trials"',
        ),
    ]
    at_least: Annotated[float | None, Rule("a finite number", "write at_least = 0.9")] = None
    at_most: Annotated[float | None, Rule("a finite number", "write at_most = 0.6")] = None
    bounds: Annotated[
        tuple[Annotated[float, Field(strict=True)], Annotated[float, Field(strict=True)]] | None,
        Field(strict=False),
        Rule("a list of two finite numbers, the lower first", "write for accuracies bounds = [0, 1]"),
    ] = None
    resolution: Annotated[
        float,
        Field(ge=0),
        Rule("a finite number >= 0", "write for accuracies of 900 scenes resolution = 0.0011, or leave it out"),
    ] = 0.0
    interval: Annotated[str | None, Rule(f"one of {', '.join(INTERVALS)}", "leave it out for the claim's own")] = None
    test: Annotated[
        str, Rule(f"one of {', '.join(TESTS)}", 'leave it out, or write test = "equivalence" for a claim of no effect')
    ] = "range"
    requires: Annotated[
        str | None,
        Field(pattern=_TEXT),
        Rule(
            "an SQL query with a column value, true where the part can be tested",
            'write for example requires = "select avg(seen_global) < 0.95 as value from trials"',
        ),
    ] = None


class Picture(Table):
    """What is drawn beside the verdict, once for each arm."""

    kind: Annotated[str, Rule(f"one of {', '.join(PICTURES)}", 'write for example kind = "ablation"')]
    where: Annotated[
        str | None, Field(pattern=_TEXT), Rule("an SQL condition", 'write where = "n_pair_labels = 15"')
    ] = None
    metric: Annotated[str | None, Rule("text", 'write metric = "unseen_order"')] = None


class Claim(Table):
    """A sentence about the tables, with the sweeps it is asked of and the parts it consists of."""

    id: Annotated[
        str, Field(pattern=SAFE_NAME), Rule(f"safe as a file name: {SAFE_NAME_RULE}", 'write for example "C6"')
    ]
    sentence: Annotated[str, Field(pattern=_TEXT), Rule("text", "write what is claimed, in one sentence")]
    source: Annotated[str, Field(pattern=_TEXT), Rule("text", "write where the claim comes from")]
    interval: Annotated[str, Rule(f"one of {', '.join(INTERVALS)}", 'leave it out for "t"')] = "t"
    minimum_n: Annotated[int, Field(ge=2, lt=2**63), Rule("a whole number >= 2", "leave it out for 5")] = 5
    note: Annotated[str, Rule("text", "write it in quotes")] = ""
    sweeps: Annotated[
        dict[str, str],
        Field(min_length=1),
        Rule(
            "a table of sweep files by arm, at least one",
            'write [claim.sweeps] above "fixed steps" = "../sweeps/recipe.toml"',
        ),
    ]
    picture: Annotated[Picture | None, Rule("a table", "write [claim.picture]")] = None
    part: Annotated[
        tuple[Part, ...],
        Field(min_length=1, strict=False),
        Rule("a list of tables, at least one", "write [[claim.part]], in double brackets"),
    ]

    def interval_of(self, part: Part) -> str:
        """Return the kind of interval of one of its parts, a name of INTERVALS."""
        return part.interval or self.interval
