"""What can be told of a query by its words, before it is asked."""

import re
from collections.abc import Iterator

_UNSEEN = re.compile(
    r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|--[^\n]*|/\*.*?\*/|\bis\s+(?:not\s+)?distinct\s+from\b""",
    flags=re.DOTALL | re.IGNORECASE,
)
"""Texts, quoted names, comments, and the comparison that ends in a FROM of its own."""

_SPACING = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|(?:--[^\n]*|/\*.*?\*/|\s)+""", flags=re.DOTALL)
"""Quoted text and names, and what stands between words."""

_WORD = re.compile(r"[()]|;|\w+")

_BETWEEN = {"union", "intersect", "except", ";"}
"""What stands between two SELECTs of one level."""


_CHANGES = {"alter", "create", "delete", "drop", "insert", "merge", "replace", "truncate", "update"}
"""How a statement begins that asks for a change."""


def canonical_sql(sql: str) -> str:
    """Return `sql` without comments and with single spaces between words; quoted texts and names stay as they are."""

    def one(found: re.Match[str]) -> str:
        return found[0] if found[0][0] in "'\"`" else " "

    return _SPACING.sub(one, sql).strip()


def changes_tables(sql: str) -> bool:
    """Return whether a statement of `sql` would change tables, of which polars answers some as if it had done so."""
    statements = _UNSEEN.sub(" ", sql).lower().split(";")
    return any(_CHANGES.intersection(_WORD.findall(statement)[:1]) for statement in statements)


def filters_nothing(sql: str) -> bool:
    """Return whether a SELECT of `sql` has WHERE without FROM, which polars drops in silence."""
    return any({"select", "where"} <= words and "from" not in words for words in _selects(sql))


def _selects(sql: str) -> Iterator[set[str]]:
    """Yield the words of each SELECT or bracket, such as `filter (where ...)`, without those of the brackets in it."""
    levels: list[set[str]] = [set()]
    for word in map(str.lower, _WORD.findall(_UNSEEN.sub(" ", sql))):
        if word == "(":
            levels.append(set())
        elif word == ")" and len(levels) > 1:
            yield levels.pop()
        elif word in _BETWEEN:
            yield levels[-1]
            levels[-1] = set()
        else:
            levels[-1].add(word)
    yield from levels
