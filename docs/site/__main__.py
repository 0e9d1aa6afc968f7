"""Build the site: `python -m docs.site`; with a word, write again what pages are made of.

verbs     docs/verbs.md, from the command line's own words
gallery   docs/gallery.md and its pictures, from the committed rows
answers   the answers below commands of a page: `answers docs/cookbook.md`
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from docs.site import answers, check, gallery, layout, verbs

BUILD = layout.ROOT / "build/docs"


def build() -> list[str]:
    """Build the site into BUILD and return what is wrong with it."""
    try:
        layout.lay_out(BUILD)
    except ValueError as error:
        return [str(error)]
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(BUILD / layout.CONFIG.name)]
    done = subprocess.run(command, cwd=BUILD, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = re.sub(r"\x1b\[[\d;]*m", "", done.stdout).partition("Traceback")[0]  # which --strict ends with
    if done.returncode or "Error" in said or "Warning" in said:  # some errors leave its code at 0
        return said.splitlines()
    built = {path.relative_to(BUILD / "html") for path in (BUILD / "html").rglob("*.html")}
    lacking = [
        page for page in layout.pages() if Path(page.replace("README", "index")).with_suffix(".html") not in built
    ]
    return [f"{page}: has not been built" for page in lacking] + check.problems(BUILD / "html")


def main(words: list[str]) -> int:
    """Do what the words of the command say; return its exit code."""
    match words:
        case []:
            start = time.perf_counter()
            if found := build():
                print(*found, sep="\n", file=sys.stderr)
                return 1
            print(f"{BUILD / 'html/index.html'} in {time.perf_counter() - start:.0f} s")
        case ["verbs"]:
            verbs.PAGE.write_text(verbs.as_markdown(answers.run))
        case ["gallery"]:
            gallery.draw_all()
            gallery.PAGE.write_text(gallery.as_markdown())
        case ["answers", *names] if names:
            for path in map(Path, names):
                path.write_text(answers.with_answers(path.read_text()))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
