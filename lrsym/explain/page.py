"""The page about one trial: HTML that needs no network and answers the mouse, and the same as PNG."""

from pathlib import Path

from lrsym.explain.frames import Explanation
from lrsym.explain.page_image import render_image
from lrsym.explain.sections import page_sections
from lrsym.results.pages.render import render
from lrsym.results.plots.embedding import drawing_scripts, in_script
from lrsym.results.plots.save import to_spec, write_file


def save_page(
    explanation: Explanation, path: Path, *, heading: str, sentence: str, theme: str = "light"
) -> tuple[Path, Path]:
    """Write the page in a `theme` to `path` and as PNG beside it; return both. Raises UsageError where it cannot be.

    `heading` says what was trained, `sentence` which trial it is.
    """
    sections = page_sections(explanation, theme)
    specs = [None if section.chart is None else to_spec(section.chart) for section in sections]
    drawings = [in_script(spec) for spec in specs if spec is not None]
    page = render(
        "explain/page.html", theme=theme, title=heading, sentence=sentence, sections=sections, drawings=drawings,
        scripts=drawing_scripts(),
    )  # fmt: skip
    image = render_image(heading, sentence, sections, specs, theme=theme)
    return write_file(path, page.encode()), write_file(path.with_suffix(".png"), image)
