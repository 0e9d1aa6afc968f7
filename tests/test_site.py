"""The site of the documentation: every page is in it, its links lead somewhere, and it asks no other host."""

import importlib.metadata
import re
import shlex
from pathlib import Path

import pytest
import yaml

from docs.site import __main__ as site
from docs.site import answers, check, gallery, layout, verbs
from lrsym.cli.examples import EXAMPLES
from lrsym.vocabulary import PICTURES
from tests.browser import BINARY, Browser
from tests.running import lrsym
from tests.test_documentation import PAGES, name_of

ROOT = layout.ROOT


def test_every_page_of_the_documentation_is_in_the_navigation_once():
    named = layout.pages()
    assert len(named) == len(set(named))
    assert {*named} == {*map(name_of, PAGES), "SECURITY.md", "CHANGELOG.md"}


def test_pages_are_laid_out_as_they_are_beside_what_they_link_to(tmp_path):
    layout.lay_out(tmp_path / "site")
    for page in layout.pages():
        assert (tmp_path / "site/pages" / page).read_text() == (ROOT / page).read_text()
    assert (tmp_path / "site/pages/sweeps/demo.toml").exists()


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("../sweeps", "a link must lead to a file, got ../sweeps"),
        ("none.md", "a link must lead to a file, got none.md"),
        ("other.md", "other.md is no page of the site; add docs/other.md to nav in docs/site/zensical.toml"),
    ],
)
def test_a_link_that_the_site_could_not_follow_is_told(tmp_path, monkeypatch, link, told):
    for name in ("docs/site", "sweeps"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "docs/site/zensical.toml").write_text('[project]\nnav = [{ "Page" = "docs/page.md" }]\n')
    (tmp_path / "docs/other.md").write_text("# Other\n")
    (tmp_path / "docs/page.md").write_text(f"# Page\n\n[there]({link})\n")
    monkeypatch.setattr(layout, "ROOT", tmp_path)
    monkeypatch.setattr(layout, "CONFIG", tmp_path / "docs/site/zensical.toml")
    with pytest.raises(ValueError, match=re.escape(f"docs/page.md: {told}")):
        layout.lay_out(tmp_path / "built")


def test_what_is_wrong_with_a_built_site_is_told_by_file(tmp_path):
    (tmp_path / "style.css").write_text(
        "@import 'https://fonts.example/x.css'; a { background: url(data:image/png;a) }"
    )
    (tmp_path / "good.html").write_text('<h1 id="top">Good</h1><a href="https://arxiv.org/abs/1">paper</a>')
    (tmp_path / "bad.html").write_text(
        '<script src="https://cdn.example/x.js"></script><img src="none.png"><a href="good.html#top">t</a>'
        '<a href="good.html#nowhere">n</a><a href="none.html">n</a><p>Why.\n- a list</p>'
    )
    assert check.problems(tmp_path) == [
        "bad.html: loads https://cdn.example/x.js from another host",
        "bad.html: loads none.png, which is not there",
        "bad.html: links to good.html#nowhere, which has no such heading",
        "bad.html: links to none.html, which is not there",
        'bad.html: has a list or table within a paragraph, "- a list"; put an empty line before it',
        "style.css: loads https://fonts.example/x.css",
    ]


def test_the_page_of_verbs_is_what_the_command_line_says_of_itself():
    text = verbs.PAGE.read_text()
    stored = dict(answers.answered(text))
    assert text == verbs.as_markdown(stored.__getitem__)
    assert sorted(re.findall(r"^### `(.*)`$", text, flags=re.MULTILINE)) == sorted(EXAMPLES)


def test_the_gallery_has_every_kind_of_picture_and_no_picture_without_its_command():
    assert gallery.PAGE.read_text() == gallery.as_markdown()
    assert {*gallery.FOLDER.iterdir()} == {picture.path for picture in gallery.PICTURES}
    assert {picture.command.split()[2] for picture in gallery.PICTURES} >= {*PICTURES} - {
        "search"
    }  # no search is committed


def test_the_citation_has_what_its_format_asks_for_and_the_version_of_the_package():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= {*cited}
    assert (cited["cff-version"], cited["type"], cited["license"]) == ("1.2.0", "software", "Apache-2.0")
    assert cited["version"] == importlib.metadata.version("lrsym")
    (paper,) = cited["references"]
    assert {"type", "title", "authors"} <= {*paper}
    assert all({*author} <= {"name", "given-names", "family-names"} for author in cited["authors"] + paper["authors"])
    assert paper["identifiers"][0]["value"] in (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def built():
    assert site.build() == []
    return site.BUILD / "html"


@pytest.mark.slow
def test_the_site_builds_and_its_search_knows_every_page(built):
    known = (built / "search.js").read_text() if (built / "search.js").exists() else (built / "search.json").read_text()
    for page in layout.pages():
        assert str(Path(page.replace("README", "index")).with_suffix(".html")).removesuffix("index.html") in known


@pytest.mark.slow
@pytest.mark.skipif(BINARY is None, reason="needs Chromium (Debian's package chromium)")
def test_a_browser_that_reads_the_site_asks_no_other_host_and_a_phone_shows_no_sideways_page(built, tmp_path):
    browser = Browser(tmp_path)
    try:
        browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        for page in ("index.html", "docs/gallery.html", "docs/cookbook.html", "docs/columns.html"):
            browser.resize(390)
            browser.send("Page.navigate", url=(built / page).as_uri())
            browser.wait(f"document.readyState == 'complete' && location.href.endsWith('{page}')")
            assert browser.evaluate("document.documentElement.scrollWidth") <= 390
            assert browser.evaluate("document.body.dataset.mdColorScheme") == "slate"
        # Search stands in a shadow tree, beside the page.
        browser.evaluate("document.querySelector('label[for=__search], button[class*=search]').click()")
        browser.wait("!!document.activeElement.shadowRoot")
        browser.send("Input.insertText", text="boundary")
        found = (
            "[...document.querySelectorAll('*')].some(e => e.shadowRoot?.textContent.includes('A boundary on three'))"
        )
        browser.wait(found)
        assert browser.requests
        assert browser.problems == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in browser.requests)
    finally:
        browser.close()


@pytest.mark.slow
@pytest.mark.parametrize("picture", gallery.PICTURES, ids=lambda picture: picture.name)
def test_a_picture_of_the_gallery_shows_what_its_command_draws(picture):
    (drawn, values), (shown, kept) = (labels(svg) for svg in (gallery.draw(picture), picture.path.read_text()))
    assert len(drawn) > 5
    assert drawn == shown
    assert values == pytest.approx(kept, rel=1e-6)  # sums in another order


def labels(svg):
    """What the marks of a picture say of themselves, without their numbers, and these numbers."""
    texts, number = re.findall(r'aria-label="([^"]*)"', svg), re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
    return [number.sub("0", text) for text in texts], [float(n) for text in texts for n in number.findall(text)]


@pytest.mark.slow
@pytest.mark.parametrize("verb", verbs.ANSWERED)
def test_a_verb_answers_as_its_page_says(verb, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", answers.WIDTH)
    command = verbs.ANSWERED[verb]
    stored = dict(answers.answered(verbs.PAGE.read_text()))
    assert answers.as_blocks(command, lrsym(*shlex.split(command)[1:])) == answers.as_blocks(command, stored[command])
