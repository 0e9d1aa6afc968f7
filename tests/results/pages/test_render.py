"""Pages: one base, text escaped, nothing fetched, nothing left out silently."""

import re

import jinja2
import pytest

from lrsym.explain.sections import Section
from lrsym.results.pages.render import render


def page(title="Trial & error", heading="a < b"):
    section = Section(heading, ["<script>alert(1)</script>"])
    return render("explain/page.html", title=title, sentence="One.", sections=[section], drawings=[], scripts="")


def test_text_is_escaped():
    text = page()
    assert "<title>Trial &amp; error</title>" in text
    assert "<h2>a &lt; b</h2>" in text
    assert "<script>alert" not in text


def test_a_page_is_one_document_that_fetches_nothing():
    text = page()
    assert text.startswith("<!doctype html>")
    assert text.count("<style>") == 1
    assert not re.search(r"\b(?:src|href)=", text)
    assert not re.search(r"@import|url\(", text)


def test_a_value_that_a_template_wants_and_does_not_get_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="title"):
        render("explain/page.html", sections=[], drawings=[], scripts="", sentence="")
