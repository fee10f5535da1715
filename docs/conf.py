"""The site: `make docs`. Its pages are the repository's Markdown where it lies; a broken link is an error."""

from __future__ import annotations

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


def open_files(app: Any, tree: nodes.document, page: str) -> None:
    """A link to a file of the repository, such as a report, opens the copy in the site instead of downloading it."""
    for link in list(tree.findall(addnodes.download_reference)):
        up = "../" * page.count("/")
        target = nodes.reference("", "", *link.children, refuri=f"{up}_downloads/{link['filename']}", internal=True)
        link.replace_self(target)


def bring_data(app: Any, error: Exception | None) -> None:
    """What a report links to lies beside its copy in the site as well."""
    reports = [one for one in app.env.dlfiles.items() if str(one[0]).endswith("/report.html")] if error is None else []
    for report, (_, copy) in reports:
        beside = Path(app.outdir, "_downloads", copy).parent
        unread = shutil.ignore_patterns("*.tar.xz", "report.html")
        shutil.copytree(Path(app.srcdir, report).parent, beside, dirs_exist_ok=True, ignore=unread)


def setup(app: Any) -> None:
    """Connects :func:`open_files` and :func:`bring_data`."""
    app.connect("doctree-resolved", open_files)
    app.connect("build-finished", bring_data)
