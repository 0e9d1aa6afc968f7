"""Check a built site: links and anchors lead somewhere, nothing is loaded from another host, lists are lists."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"src", "srcset", "poster", "data"}
_LINKED = {"a", "area"}


class _Page(HTMLParser):
    """What a page has: its anchors, what it links to, what a browser loads for it, and the text of its paragraphs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.paragraphs: list[str] = []
        self._in_paragraph = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name == "href" and value is not None:
                (self.links if tag in _LINKED else self.loaded).append(value)
            elif name in _LOADED and value is not None:
                self.loaded.append(value)
        if tag == "p":
            self._in_paragraph = True
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._in_paragraph = False

    def handle_data(self, data: str) -> None:
        if self._in_paragraph:
            self.paragraphs[-1] += data


def problems(site: Path) -> list[str]:
    """Return what is wrong with the site in the folder `site`, a line each, with the file."""
    read = {path.resolve(): _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    found = [
        f"{path.relative_to(site.resolve())}: {problem}"
        for path, page in read.items()
        for problem in _of_page(path, page, site.resolve(), read)
    ]
    styles = [(path, path.read_text()) for path in sorted(site.rglob("*.css"))]
    return found + [f"{path.relative_to(site)}: loads {url}" for path, text in styles for url in _foreign(text)]


def _of_page(path: Path, page: _Page, site: Path, read: dict[Path, _Page]) -> Iterator[str]:
    for url in page.loaded:
        if urlsplit(url).netloc:
            yield f"loads {url} from another host"
        elif not _target(path, url, site).is_file() and not url.startswith("data:"):
            yield f"loads {url}, which is not there"
    for url in page.links:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            continue
        target = _target(path, url, site)
        if not target.is_file():
            yield f"links to {url}, which is not there"
        elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].anchors:
            yield f"links to {url}, which has no such heading"
    for text in page.paragraphs:
        if line := re.search(r"^(- |\* |\d+\. |\|).*", text, flags=re.MULTILINE):
            yield f'has a list or table within a paragraph, "{line[0][:40]}"; put an empty line before it'


def _target(page: Path, url: str, site: Path) -> Path:
    """Return the file that a link of `page` leads to."""
    path = unquote(urlsplit(url).path)
    folder = site if path.startswith("/") else page.parent  # the page that a server shows where there is none
    target = folder.joinpath(path.lstrip("/")).resolve() if path else page
    return target / "index.html" if target.is_dir() else target


def _foreign(style: str) -> list[str]:
    """Return what a style sheet loads from other hosts."""
    urls = re.findall(r"(?:url\(|@import\s+)[\"']?([^\"')\s;]+)", style)
    return [url for url in urls if urlsplit(url).netloc]
