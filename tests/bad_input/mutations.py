"""Mistakes in TOML files, made at random: each takes a text and gives another, or bytes that are no text any more."""

import random
import re
from collections.abc import Callable

from lrsym.config.axes import Axis, axes
from lrsym.sweep.spec.messages import MEANINGS

_LINE = re.compile(r"^[ \t]*[^#\[\s][^=]*=")
"""A line `key = value` of a text that is laid out as the shipped files are."""

_HEADER = re.compile(r"^\[.*\]\s*$")

WRONG_VALUES = (
    "true", "false", "0", "1", "-1", "2", "3.5", "-0.0", "1e400", "-1e400", "1e-320", "inf", "-inf", "nan", "5.0",
    str(2**31), str(2**63 - 1), str(2**63), str(-(2**63)), str(2**64), "1" * 400, "9" * 5000, "0x7fff_ffff", "0o17",
    "0b1", "1_000", "+5", '""', '" "', '"x"', "'x'", '"5"', '"true"', '"../up"', '"a b"', r'"a\u0000b"',
    r'"\u001b[31mred"', '"näme 名 \u202e"', '"' + "x" * 5000 + '"', '"""two\nlines"""', "[]", "[[]]", "[[1, 2]]", "[1]",
    "[1, 1]", "[1, 1.0, true]", '["a", 1]', "[1, nan]", "[2, 4, 8, 16]", f"[{', '.join(map(str, range(3000)))}]", "{}",
    "{ a = 1 }", "{ low = 1, high = 2 }", "{ low = 2, high = 1 }", "{ low = 0, high = 1, log = true }",
    "{ low = -1e308, high = 1e308 }", f"{{ low = 1, high = {2**62} }}", "{ low = 1 }",
    "{ low = 1, high = 2, step = 1 }", "2020-01-01", "12:00:00", "2020-01-01T12:00:00Z", "", "=", "x", "[", "{", '"',
    "'''", "1..2", "sqrt_d_model",
    '"sqrt_d_model"', '"full"', '"pytorch"', '"rotary"', '"autoregressive"', '"decided"', '"asha"', '"cmaes"',
    '"wilcoxon"', '"unseen_order"', '"unseen_order + seconds"', '"select 1"', '"read_csv(1)"', '"avg(seconds"',
    '"; drop"',
)  # fmt: skip

SQL = (
    "select 1 as value", "select value from trials", "select unseen_order as value from trials", "", " ", ";", "select",
    "select * from trials", "delete from trials", "drop table trials", "select 'x' as value", "select null as value",
    "select count(*) as value from trials group by 1", "select 1 / 0 as value from trials", "select value from curves",
    "select read_csv('/etc/passwd') as value", "select * from read_parquet('x') as value", "select \x00 as value",
    "select unseen_order as value, 1 as value from trials", "select a.b.c as value from trials", "(" * 300,
    "with x as (select 1) select", "select [1] as value from trials", "select 'ü' as värde",
    "select seed as value from trials order by nothing", "select trial_id as value from trials",
    "select finished_at as value from trials", "select 1e400 as value from trials",
    "select unseen_order > 0.5 as value from trials limit -1", "select cast('x' as int) as value from trials",
)  # fmt: skip

SETS = (
    "optim.steps=5", "optim.steps=x", "optim.steps=", "=5", "steps=5", "optim.steps=[1]", "optim.steps=0", "",
    "model.preset=full", "name=x", "optim.steps=1\noptim.beta1=2", "optim.steps=\x00", "seed=1", "[base]=1",
    "optim.steps=" + "[" * 3000, "optim.steps=" + "9" * 5000, "scenes.n_pair_labels=3", "optim.learning_rate=nan",
    "model.kind=autoregressive", "'optim'.'steps'=7", "optim.steps=7 # x", "\x1b[31m=1", "ä=1", "optim.epochs=1",
    "optim.steps=2020-01-01", "optim.steps=1e3", "model.n_heads=3",
)  # fmt: skip

Random = random.Random


def text_mutations(*, claims: bool) -> dict[str, Callable[[Random, str], str]]:
    """Return the mistakes that leave a text, by their kind."""
    own = {"another query": _query} if claims else {"an axis beside the others": _axis, "a search": _search}
    return {
        "a wrong value": _value, "another key": _key, "a line gone, twice or elsewhere": _move,
        "another table": _header, "wrong signs": _characters, "cut short": _cut,
        "nested deeply": _nested, "very long": _long, **own,
    }  # fmt: skip


def _changed(rng: Random, text: str, pattern: re.Pattern[str], change: Callable[[str], str]) -> str:
    """Return the text with another line in place of one that matches."""
    lines = text.split("\n")
    if found := [number for number, line in enumerate(lines) if pattern.match(line)]:
        number = rng.choice(found)
        lines[number] = change(lines[number])
    return "\n".join(lines)


def _value(rng: Random, text: str) -> str:
    return _changed(rng, text, _LINE, lambda line: f"{line.partition('=')[0]}= {rng.choice(WRONG_VALUES)}")


def _key(rng: Random, text: str) -> str:
    names = [*(axis.key for axis in axes()), *MEANINGS, "seed", "zip", "grid.optim", "a.b.c.d", "search", "budget"]

    def change(line: str) -> str:
        key, _, value = line.partition("=")
        word = key.strip().strip("\"'")
        place, sign = rng.randrange(len(word) + 1), rng.choice("aeé_-. \0\x1b\"'")
        new = rng.choice([
            word[:place] + word[place + 1 :], word[:place] + sign + word[place:], word.upper(), rng.choice(names),
            word.rpartition(".")[2], "", word + ".x", "x" * 3000, "\u202e" + word,
        ])  # fmt: skip
        return f"{rng.choice([new, repr(new), f'{chr(34)}{new}{chr(34)}'])} ={value}"

    return _changed(rng, text, _LINE, change)


def _move(rng: Random, text: str) -> str:
    lines = text.split("\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines) + 1)
    what = rng.choice(["gone", "twice", "copied", "moved", "block"])
    if what == "block":
        first, second = sorted((first, second))
        return "\n".join(lines[:second] + lines[first:])
    line = lines.pop(first) if what in ("gone", "moved") else lines[first]
    if what != "gone":
        lines.insert(first if what == "twice" else second, line)
    return "\n".join(lines)


def _header(rng: Random, text: str) -> str:
    names = [
        "base", "grid", "zip", "exclude", "search", "search.space", "seed", "name", "claim", "claim.part", "zip.0", "",
        "claim.sweeps", "claim.picture", "base.optim", "grid.model", "grid.optim.steps", "x", "replicates", '"base"',
    ]  # fmt: skip

    def change(line: str) -> str:
        name, other = line.strip("[] \t\r"), rng.choice(names)
        return rng.choice([
            f"[{name}]", f"[[{name}]]", f"[{other}]", f"[[{other}]]", f"{line}\n{line}", f"[{name}",
            f"[ {name} ] # again", f"{name} = 1", f"[[{name}]]\n[{name}]", f"\n[{other}]\nx = 1\n{line}", "[]", "[[]]",
        ])  # fmt: skip

    return _changed(rng, text, _HEADER, change)


def _characters(rng: Random, text: str) -> str:
    for _ in range(rng.randint(1, 4)):
        at, signs = rng.randrange(len(text) + 1), "[]{}\"'=,.#\n\t :-_+0aé\0\r\\\x7f\u2028\ufeff"
        text = rng.choice([text[:at] + rng.choice(signs) + text[at:], text[:at] + text[at + 1 :]])
    return text


def _cut(rng: Random, text: str) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _nested(rng: Random, text: str) -> str:
    depth = rng.choice([3, 30, 300, 3000])
    value = rng.choice(["[" * depth + "]" * depth, "{a=" * depth + "1" + "}" * depth, "[" * depth])
    key = rng.choice(["x", '"optim.steps"', ".".join("a" * depth), ".".join(["optim"] * depth)])
    return f"{text}\n{key} = {value}\n"


def _long(rng: Random, text: str) -> str:
    n = rng.choice([100, 10_000])
    more = [
        "# " + "x" * n, "\n".join(f"key{i} = {i}" for i in range(min(n, 500))), f'"{"k" * n}" = 1',
        f'"optim.steps" = [{", ".join(map(str, range(1, n)))}]', "[[zip]]\n" * min(n, 300), "\n" * n, " " * n + "= 1",
        '[[exclude]]\n"optim.steps" = 1\n' * 100,
    ]  # fmt: skip
    return f"{text}\n{rng.choice(more)}\n"


def _query(rng: Random, text: str) -> str:
    pattern, value = re.compile(r"^(estimate|requires|where) = "), rng.choice(SQL)
    quoted = rng.choice([f"'''{value}'''", f'"""{value}"""', f'"{value}"'])
    return _changed(rng, text, pattern, lambda line: f"{line.partition('=')[0]}= {quoted}")


def _value_of(rng: Random, axis: Axis) -> str:
    """Return a value of an axis as a file writes it: usual, at a bound, or a little beyond."""
    if axis.type is bool:
        return rng.choice(["true", "false"])
    if axis.type is str:
        return rng.choice([f'"{word}"' for word in axis.bounds.split(" | ")])
    numbers = [float(n) for n in re.findall(r"[\d.]+", axis.bounds)]
    near = [n + d for n in numbers for d in (0, 1, -1)]
    if axis.type is int:
        return str(int(rng.choice([1, 2, 3, 4, 5, 8, 16, 33, 64, 10**6, *near])))
    return repr(rng.choice([0.0, 1.0, 0.5, 1e-3, 1e-30, 1e30, 0.999, *near]))


def _axis(rng: Random, text: str) -> str:
    for _ in range(rng.randint(1, 3)):
        axis = rng.choice([axis for axis in axes() if axis.section])
        first, second = _value_of(rng, axis), _value_of(rng, axis)
        many = f"[{first}, {second}]"
        table, value = rng.choice([
            ("[base]", first), ("[grid]", many), ("[[zip]]", many), ("[[exclude]]", first), ("[search.space]", many),
            ("[search.space]", f"{{ low = {first}, high = {second} }}"),
        ])  # fmt: skip
        line = f'"{axis.key}" = {value}'
        text = text.replace(f"{table}\n", f"{table}\n{line}\n", 1) if table in text else f"{text}\n{table}\n{line}\n"
    return text


def _search(rng: Random, text: str) -> str:
    """Return a search in place of what varies."""
    start = re.split(r"^\[(?:\[?zip|grid|search)", text, maxsplit=1, flags=re.MULTILINE)[0]
    sampler = rng.choice(["tpe", "cmaes", "nsga2", "random", "gp"])
    stop, budget = rng.choice(["none", "asha", "median", "wilcoxon"]), rng.choice([1, 5, 100, 100_001])
    sought = rng.choice([
        '"unseen_order"', '["unseen_order", "seconds"]', '"avg(unseen_order) - 1"', '"nothing"', "[]", '"status"',
    ])  # fmt: skip
    axes_left = [axis for axis in axes() if axis.section and axis.key not in start]
    forms = ["{{ low = {}, high = {} }}", "[{}, {}]"]
    space = [
        f'"{axis.key}" = ' + rng.choice(forms).format(_value_of(rng, axis), _value_of(rng, axis))
        for axis in rng.sample(axes_left, rng.randint(1, 3))
    ]
    keys = f'[search]\nsampler = "{sampler}"\nbudget = {budget}\nstop = "{stop}"\nmaximise = {sought}\n'
    return f"{start}{keys}[search.space]\n" + "\n".join(space) + "\n"


def _encoded(rng: Random, text: str) -> bytes:
    return ("# ä\n" + text).encode(rng.choice(["utf-16", "utf-8-sig", "latin-1", "utf-32"]), "replace")


def _other_ends(rng: Random, text: str) -> bytes:
    return text.replace("\n", rng.choice(["\r\n", "\r", "\x0b", "\u2028", "\n\r"])).encode()


def _flipped(rng: Random, text: str) -> bytes:
    out = bytearray(text.encode() or b"x")
    for _ in range(rng.randint(1, 5)):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _zeros(rng: Random, text: str) -> bytes:
    at = rng.randrange(len(text) + 1)
    return text[:at].encode() + bytes(rng.choice([1, 512])) + text[at:].encode()


def _no_text(rng: Random, text: str) -> bytes:
    return rng.choice([b"", b"\0", b"\n" * 5, rng.randbytes(300), b"PAR1" + rng.randbytes(60), b"\xef\xbb\xbf"])


BYTE_MUTATIONS: dict[str, Callable[[Random, str], bytes]] = {
    "another encoding": _encoded, "other ends of lines": _other_ends, "bits flipped": _flipped, "zeros": _zeros,
    "no text": _no_text,
}  # fmt: skip
"""Mistakes that leave bytes, by their kind."""
