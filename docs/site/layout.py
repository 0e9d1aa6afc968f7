"""Lay out the pages of the repository for the site: each, and what it links to, under the path that it has here."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("zensical.toml")

ASSETS = ("docs/site/site.css", "docs/site/iframe-worker.js")

LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)")
"""A link within the project: file and anchor, either of them empty where it has none."""


def pages() -> list[str]:
    """Return the pages of the navigation in its order, as paths from the root."""
    return [*_pages(tomllib.loads(CONFIG.read_text())["project"]["nav"])]


def _pages(entries: list[dict[str, str | list]]) -> Iterator[str]:
    for entry in entries:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from _pages(value)


def lay_out(folder: Path) -> None:
    """Write the site's configuration into `folder`, and the pages with the files that they link to into `pages` there.

    Raises ValueError where a link leads to a folder, to nothing, or to a page that the navigation lacks.
    """
    shutil.rmtree(folder, ignore_errors=True)
    named = pages()
    files = {target for page in named for target in _linked(page, named)}
    for name in sorted({*named, *files, *ASSETS}):
        copy = folder / "pages" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    shutil.copyfile(CONFIG, folder / CONFIG.name)


def _linked(page: str, named: list[str]) -> Iterator[str]:
    """Yield the files that `page` links to, as paths from the root."""
    for target, _ in LINK.findall((ROOT / page).read_text()):
        path = (ROOT / page).parent.joinpath(target).resolve() if target else ROOT / page
        name = str(path.relative_to(ROOT))
        if not path.is_file():
            raise ValueError(f"{page}: a link must lead to a file, got {target}; name a file of that folder")
        if path.suffix == ".md" and name not in named:
            raise ValueError(
                f"{page}: {target} is no page of the site; add {name} to nav in {CONFIG.relative_to(ROOT)}"
            )
        yield name
