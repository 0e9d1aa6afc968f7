"""The page about one trial: HTML that needs no network, and the same as PNG."""

from pathlib import Path

from lrsym.explain.frames import Explanation
from lrsym.explain.page_image import render_image
from lrsym.explain.sections import page_sections
from lrsym.results.pages.render import render, svg_address
from lrsym.results.plots.save import write_file


def save_page(explanation: Explanation, path: Path, *, theme: str = "light") -> tuple[Path, Path]:
    """Write the page in a `theme` to `path` and as PNG beside it; return both. Raises UsageError where it cannot be."""
    title = f"Trial {explanation.row['trial_id'].item()}"
    sections = page_sections(explanation, theme)
    page = render("explain/page.html", theme=theme, title=title, sections=sections, svg_address=svg_address)
    image = render_image(title, sections, theme=theme)
    return write_file(path, page.encode()), write_file(path.with_suffix(".png"), image)
