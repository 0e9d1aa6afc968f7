"""Damage to a store, made at random: what disks, copies, people and other programs do to its files."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

from lrsym.results.store.digest import part_bytes
from lrsym.results.store.schema import TABLES
from tests.bad_input.made_up_store import LEASE

Random = random.Random

NONSENSE: tuple[Any, ...] = (
    None, True, 0, -1, 7, 2**70, -0.5, float("nan"), float("inf"), "", "x", "../../x", "\x1b[31m", "\x00", [], [1],
    ["a"], {}, {"a": 1},
)  # fmt: skip


def _any(rng: Random, root: Path, pattern: str = "*/*") -> Path:
    """Return one of the files of a kind."""
    return rng.choice(sorted(path for path in root.glob(pattern) if path.is_file() and not path.is_symlink()))


def _part(rng: Random, root: Path) -> Path:
    return _any(rng, root, f"{rng.choice(['trials', 'curves', 'ablations', 'terms', 'runs', 'suggestions'])}/*.parquet")


def _edit(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(change(file.read_bytes()))


def _flip(rng: Random, content: bytes) -> bytes:
    out = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _blank(rng: Random, content: bytes) -> bytes:
    at, n = rng.randrange(len(content)), rng.choice([1, 16, 512])
    return content[:at] + bytes(min(n, len(content) - at)) + content[at + n :]


def _instead(file: Path, make: Callable[[Path], object]) -> None:
    """Put something else in the place of a file."""
    file.unlink()
    make(file)


def _other_bytes(rng: Random, root: Path) -> None:
    _any(rng, root).write_bytes(rng.choice([b"PAR1", b"PAR1" * 4, rng.randbytes(3000), b"\xff" * 8]))


def _loop(file: Path) -> None:
    file.symlink_to(file.name)


def _into_other_table(rng: Random, root: Path) -> None:
    part = _part(rng, root)
    other = root / rng.choice(sorted({"trials", "curves", "terms"} - {part.parent.name}))
    part.rename(other / rng.choice([part.name, f"{'e' * 32}.parquet"]))


def _renamed(rng: Random, root: Path) -> None:
    file = _any(rng, root)
    names = [f"{'e' * 32}{file.suffix}", f"{file.stem} (1){file.suffix}", f"x{file.suffix}", "näme 名"]
    file.rename(file.with_name(rng.choice(names)))


def _copied(rng: Random, root: Path) -> None:
    part = _part(rng, root)
    names = [f"{'d' * 32}.parquet", f"{part.stem}_backup.parquet", f"._{part.name}"]
    shutil.copy(part, part.with_name(rng.choice(names)))


def _foreign(rng: Random, root: Path) -> None:
    part, frame = _part(rng, root), pl.DataFrame({"a": [1], "trial_id": ["x"]})
    frame.write_parquet(part.with_name(rng.choice([f"{'c' * 32}.parquet", "export.parquet", part.name])))


def _half_written(rng: Random, root: Path) -> None:
    file = _any(rng, root)
    content = file.read_bytes()
    file.with_name(f".{file.name}.{'a' * 32}.tmp").write_bytes(content[: rng.randrange(len(content))])
    if rng.random() < 0.5:
        file.unlink()


def _file_for_folder(rng: Random, root: Path) -> None:
    folder = rng.choice(sorted(path for path in root.iterdir() if path.is_dir()))
    shutil.rmtree(folder)
    if rng.random() < 0.8:
        folder.write_bytes(b"a file")


def _no_permission(rng: Random, root: Path) -> None:
    rng.choice([_any(rng, root), _any(rng, root).parent]).chmod(rng.choice([0, 0o200]))


def _odd_version(rng: Random, root: Path) -> None:
    part = _part(rng, root)
    table = pq.read_table(part)
    version = rng.choice([b"2", b"9" * 20, b"-1", b"x", b"", b"1.0"])
    metadata = {**(table.schema.metadata or {}), b"lrsym_schema_version": version}
    pq.write_table(table.replace_schema_metadata(metadata), part)


def _forged(rng: Random, root: Path) -> None:
    """Give a part other columns, types or values, under metadata and a digest that are right."""
    part = _part(rng, root)
    table = pq.read_table(part)
    frame, columns = pl.DataFrame(table), list(table.column_names)
    chosen = rng.sample(columns, rng.randint(1, 3))
    kind = rng.choice(["lost", "null", "type", "value", "value", "none"])
    if kind == "lost":
        frame = frame.drop(chosen)
    elif kind == "null":
        frame = frame.with_columns(pl.lit(None, dtype=frame.schema[name]).alias(name) for name in chosen)
    elif kind == "none":
        frame = frame.clear()
    elif kind == "type":
        other = rng.choice([pl.Int32, pl.Float32, pl.String, pl.Boolean, pl.Binary, pl.List(pl.Int64)])
        frame = frame.with_columns(pl.lit(None, dtype=other).alias(name) for name in chosen)
    else:
        frame = frame.with_columns(_odd_value(rng, frame.schema[name]).alias(name) for name in chosen)
    rows = frame.to_arrow()
    part.write_bytes(part_bytes(TABLES[part.parent.name].named(rows, part=part.stem)))


def _odd_value(rng: Random, kind: pl.DataType) -> pl.Expr:
    """Return a value of a column's type that no sweep writes."""
    if kind == pl.String:
        words = ["", "x", "../../x", "\x1b[31m", "</script>", "done", "training", "{", "[1]", "{}", "a" * 5000]
        return pl.lit(rng.choice(words))
    if kind == pl.Int64:
        return pl.lit(rng.choice([-1, 0, 2**62, 10**6]), dtype=pl.Int64)
    if kind == pl.Float64:
        return pl.lit(rng.choice([-1.0, float("nan"), float("inf"), 1e300]), dtype=pl.Float64)
    if kind == pl.Boolean:
        return pl.lit(None, dtype=pl.Boolean)
    return pl.lit(None, dtype=kind)


def _checkpoint(rng: Random, root: Path) -> None:
    """Write a checkpoint whose metadata are nonsense."""
    file = _any(rng, root, "checkpoints/*")
    good = {"format": 3, "trainer_version": 1, "trials": ["a"], "stop_rule": None, "step": 3, "steps": 6}
    for key in rng.sample([*good], rng.randint(1, 2)):
        good[key] = rng.choice(NONSENSE)
    text = rng.choice([json.dumps(good), "[" * 100_000, "", "null", json.dumps([good])])
    save_file(load_file(file), file, metadata={rng.choice(["checkpoint", "checkpoint", "other"]): text})


def _lease(rng: Random, root: Path) -> None:
    claim = json.loads(json.dumps(LEASE))
    place = rng.choice([claim, claim["holder"]])
    place[rng.choice([*place])] = rng.choice(NONSENSE)
    text = rng.choice([json.dumps(claim), json.dumps(claim), "", "[]", '"x"', "null", json.dumps(claim)[:30]])
    (root / "leases").mkdir(exist_ok=True)
    (root / "leases" / f"{'f' * 16}.json").write_text(text)


def _live(rng: Random, root: Path) -> None:
    file = _any(rng, root, "live/*")
    text = pq.read_schema(file).metadata[b"lrsym_live"]
    row = json.loads(text)[0]
    for key in [*rng.sample([*row], 2), rng.choice(["trial_id", "status", "trained_steps", "seed", "unseen_order"])]:
        row[key] = rng.choice(NONSENSE)
    if rng.random() < 0.3:
        del row[rng.choice(["trial_id", "status", "trained_steps"])]
    text = rng.choice([json.dumps([row]), json.dumps([row, row]), json.dumps(row), "[" * 100_000, "5", ""])
    table = pq.read_table(file).replace_schema_metadata({b"lrsym_live": text.encode()})
    pq.write_table(table, file)
    if rng.random() < 0.5:
        shutil.copy(file, file.with_name(f"{'a' * 32}.parquet"))


def _weights(rng: Random, root: Path) -> None:
    """Write weights of other shapes, names or metadata."""
    import safetensors

    file = _any(rng, root, "weights/*")
    with safetensors.safe_open(file, "np") as opened:
        metadata = dict(opened.metadata())
    tensors = load_file(file)
    name = rng.choice([*tensors])
    other = rng.choice([tensors[name][:1], tensors[name].astype("int32"), tensors[name] * 0])
    tensors[rng.choice([name, "vision.other", "x"])] = other
    if rng.random() < 0.3:
        del tensors[name]
    key = rng.choice([*metadata])
    metadata[key] = rng.choice([metadata[key], "", "x", "[]", "null", "{}", "[" * 100_000, '{"optim.steps": "x"}'])
    metadata.pop("sha256", None)
    save_file(tensors, file, metadata=metadata)


DAMAGES: dict[str, Callable[[Random, Path], object]] = {
    "cut short": lambda rng, root: _edit(_any(rng, root), lambda content: content[: rng.randrange(len(content))]),
    "emptied": lambda rng, root: _any(rng, root).write_bytes(b""),
    "bits flipped": lambda rng, root: _edit(_any(rng, root), lambda content: _flip(rng, content)),
    "a part's bits flipped": lambda rng, root: _edit(_part(rng, root), lambda content: _flip(rng, content)),
    "a block of zeros": lambda rng, root: _edit(_part(rng, root), lambda content: _blank(rng, content)),
    "other bytes": _other_bytes,
    "gone": lambda rng, root: _any(rng, root).unlink(),
    "renamed": _renamed,
    "in another table": _into_other_table,
    "copied": _copied,
    "a foreign file": _foreign,
    "half written": _half_written,
    "a folder for a file": lambda rng, root: _instead(_any(rng, root), Path.mkdir),
    "a file for a folder": _file_for_folder,
    "a link to nowhere": lambda rng, root: _instead(_any(rng, root), lambda file: file.symlink_to("nowhere")),
    "a link to itself": lambda rng, root: _instead(_any(rng, root), _loop),
    "a pipe for a file": lambda rng, root: _instead(_any(rng, root), lambda file: os.mkfifo(file)),
    "no permission": _no_permission,
    "another schema version": _odd_version,
    "a forged part": _forged,
    "a nonsense checkpoint": _checkpoint,
    "a nonsense lease": _lease,
    "nonsense live rows": _live,
    "nonsense weights": _weights,
}  # fmt: skip
"""What is done to a store, by kind."""

FORGED = {"a forged part"}
"""What no reader can tell from rows that a sweep wrote."""
