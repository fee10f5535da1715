"""The site: `make docs`. Its pages are the repository's Markdown where it lies; a broken link is an error."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes

import frl

project = "frl"
author = "The frl authors"
version = release = frl.__version__
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "config/README.md",
    "results/README.md",
    "results/published/README.md",
    "benchmarks/README.md",
    "src/frl/data/README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
]
exclude_patterns = [".*", "site", "results/.*"]  # not looked into
html_extra_path = ["root"]  # index.html
html_theme = "furo"
html_title = f"frl {release}"
html_show_copyright = False
html_show_sourcelink = False
html_last_updated_fmt = None
nitpicky = True
myst_heading_anchors = 4  # as on GitHub
myst_enable_extensions = ["dollarmath"]


REPORT = re.compile(r"results/published/[^/]+/report\.html")


def open_files(app: Any, tree: nodes.document, page: str) -> None:
    """A link to a file of the repository opens the copy in the site instead of downloading it.

    A published report is a page of the site, at its place in the repository (:func:`bring_reports`).
    """
    copies = {str(copy): source for source, (_, copy) in app.env.dlfiles.items()}
    for link in list(tree.findall(addnodes.download_reference)):
        source = Path(copies[str(link["filename"])]).as_posix()
        place = source if REPORT.fullmatch(source) else f"_downloads/{link['filename']}"
        target = nodes.reference("", "", *link.children, refuri="../" * page.count("/") + place, internal=True)
        link.replace_self(target)


def bring_reports(app: Any, error: Exception | None) -> None:
    """Published reports, with the data and figures that they link to, and not once more as downloads."""
    if error is not None:
        return
    unread = shutil.ignore_patterns("*.tar.xz", "*.md")
    for source, (_, copy) in app.env.dlfiles.items():
        if REPORT.fullmatch(Path(source).as_posix()):
            folder = Path(source).parent
            shutil.copytree(Path(app.srcdir, folder), Path(app.outdir, folder), dirs_exist_ok=True, ignore=unread)
            shutil.rmtree(Path(app.outdir, "_downloads", copy).parent, ignore_errors=True)


def setup(app: Any) -> None:
    """Connects :func:`open_files` and :func:`bring_reports`."""
    app.connect("doctree-resolved", open_files)
    app.connect("build-finished", bring_reports)
