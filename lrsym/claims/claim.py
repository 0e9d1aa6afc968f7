"""What a claim is: a sentence, the sweeps it is asked of, and the numbers it asserts with their ranges.

Each description of a field is the message where its value is of the wrong form: rule; remedy.
"""

from pydantic import BaseModel, ConfigDict, Field

from lrsym.vocabulary import INTERVALS, PICTURES

SAFE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
SAFE_NAME_RULE = "letters, digits, _ and -, the first a letter or digit, at most 64"

_TEXT = r"\S"


class Table(BaseModel):
    """A table of a claims file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Part(Table):
    """One number that a claim asserts, and the range it asserts for it."""

    name: str = Field(
        pattern=_TEXT, description='name must be text; write what is estimated: name = "order without EP"'
    )
    estimate: str = Field(
        pattern=_TEXT,
        description="estimate must be an SQL query with a column value, one row for each replicate; write for example "
        'estimate = "select unseen_order as value from trials"',
    )
    at_least: float | None = Field(default=None, description="at_least must be a finite number; write at_least = 0.9")
    at_most: float | None = Field(default=None, description="at_most must be a finite number; write at_most = 0.6")


class Picture(Table):
    """What is drawn beside the verdict, once for each arm."""

    kind: str = Field(description=f'kind must be one of {", ".join(PICTURES)}; write for example kind = "ablation"')
    where: str | None = Field(
        default=None, pattern=_TEXT, description='where must be an SQL condition; write where = "n_pair_labels = 15"'
    )
    metric: str | None = Field(default=None, description='metric must be text; write metric = "unseen_order"')


class Claim(Table):
    """A sentence about the tables, with the sweeps it is asked of and the parts it consists of."""

    id: str = Field(
        pattern=SAFE_NAME, description=f'id must be safe as a file name: {SAFE_NAME_RULE}; write for example "C6"'
    )
    sentence: str = Field(pattern=_TEXT, description="sentence must be text; write what is claimed, in one sentence")
    source: str = Field(pattern=_TEXT, description="source must be text; write where the claim comes from")
    interval: str = Field(
        default="t", description=f'interval must be one of {", ".join(INTERVALS)}; leave it out for "t"'
    )
    minimum_n: int = Field(
        default=5, ge=2, lt=2**63, description="minimum_n must be a whole number >= 2; leave it out for 5"
    )
    note: str = Field(default="", description="note must be text; write it in quotes")
    sweeps: dict[str, str] = Field(
        min_length=1,
        description="sweeps must be a table of sweep files by arm, at least one; write [claim.sweeps] above "
        '"fixed steps" = "../sweeps/recipe.toml"',
    )
    picture: Picture | None = Field(default=None, description="picture must be a table; write [claim.picture]")
    part: tuple[Part, ...] = Field(
        min_length=1,
        strict=False,
        description="part must be a list of tables, at least one; write [[claim.part]], in double brackets",
    )
