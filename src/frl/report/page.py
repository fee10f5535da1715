"""The report: notebooks, executed with a scenario's results, as one HTML file that needs no network."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.paths import ENV_JUPYTER_PATH, SYSTEM_JUPYTER_PATH
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import MarkdownWithMath
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from frl.report.document import document
from frl.report.markdown import MathRenderer
from frl.runs.files import write_atomically
from frl.scenario.kinds import AnyScenario
from frl.scenario.products import ALL_FIGURES, NOTEBOOKS, REPORT, figure_names

# nbformat and nbconvert say that they are typed, but their functions carry no annotations.
Notebook = Any
_new: Any = nbformat.v4
_nbformat: Any = nbformat

CELL_TIMEOUT_S = 600
LONGEST_FOLDER = 75
"""Bytes: a socket's path has 104 at most (108 on Linux), and what follows the folder needs up to 25."""


class ReportError(ValueError):
    """A cell failed; the message names the notebook, the cell and the error."""


def render(scenario: AnyScenario, base: Path, notebooks: Path, show_code: bool) -> Path:
    """Execute the notebooks in the current folder and write `base`/report.html.

    Args:
        scenario: what the report is about.
        base: folder with the collected tables, figures/ and tables/.
        notebooks: folder of jupytext percent notebooks; those whose name begins with a digit are taken, in order.
        show_code: show the code cells as well.

    Returns:
        The path of the report. Equal results give equal bytes.

    Raises:
        ReportError: if a cell fails (the notebook so far is kept as `base`/report.failed.ipynb), or if there is no
            notebook.
    """
    notebook = assemble(scenario, base, notebooks)
    execute(notebook, base / "report.failed.ipynb")
    target = base / REPORT
    write_atomically(target, to_html(notebook, scenario.title, show_code))
    return target


def assemble(scenario: AnyScenario, base: Path, notebooks: Path) -> Notebook:
    """The numbered notebooks as one, behind a hidden cell that defines `scenario` and `base`.

    That cell stands in for the notebooks' own cells tagged "parameters", whose defaults serve whoever opens one alone.
    Cells tagged "figure-NAME" are left out if the scenario has no such figure.
    """
    paths = sorted(notebooks.glob(NOTEBOOKS))
    if not paths:
        raise ReportError(f"{notebooks}: no notebook ({NOTEBOOKS}) there")
    parameters = _new.new_code_cell(
        f"from pathlib import Path\n\nfrom {type(scenario).__module__} import {type(scenario).__name__} as Scenario\n\n"
        f"base = Path({str(base)!r})\n"
        f"scenario = Scenario.model_validate_json({scenario.model_dump_json()!r})",
        metadata={"tags": ["remove-cell"], "source_file": "parameters"},
    )
    left_out = {f"figure-{name}" for name in set(ALL_FIGURES) - set(figure_names(scenario))}
    cells = [parameters]
    for path in paths:
        for cell in jupytext.read(path, fmt="py:percent").cells:
            cell.metadata["source_file"] = path.name
            if not any(tag in left_out or tag == "parameters" for tag in cell.metadata.get("tags", [])):
                cells.append(cell)
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # nbformat would draw random ones
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return _new.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def execute(notebook: Notebook, failed: Path) -> None:
    """Run every cell in place; on an error keep the notebook in `failed` and say which cell it was.

    What cells write to stderr goes to ours: a warning is of this machine, not of the results.
    """
    failed.unlink(missing_ok=True)
    # Times of execution would make two equal reports differ.
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", record_timing=False)
    try:
        with tempfile.TemporaryDirectory(prefix="frl-", dir=_socket_folder()) as folder:
            manager = client.create_kernel_manager()
            manager.kernel_spec_manager = _ThisPython()
            # Sockets in a folder of our own: no port is opened.
            manager.transport, manager.ip = "ipc", f"{folder}/kernel"
            manager.connection_file = f"{folder}/kernel.json"
            client.execute(env=_environment(folder))
    except CellExecutionError as error:
        write_atomically(failed, _nbformat.writes(notebook))
        cell = _failed_cell(notebook)
        line = next((line for line in cell.source.splitlines() if line.strip()), "")
        raise ReportError(
            f"{cell.metadata['source_file']}, {cell['id']} ({line!r}): {error.ename}: {error.evalue}\n"
            f"The notebook up to there is kept in {failed}."
        ) from None

    for cell in notebook.cells:
        sys.stderr.writelines(output.text for output in cell.get("outputs", []) if _is_stderr(output))
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_stderr(output)]


class _ThisPython(KernelSpecManager):
    """The one kernel that there is: this interpreter's, whatever kernels called python3 are installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The same for any name."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def _environment(folder: str) -> dict[str, str]:
    """The kernel's environment: without the user's own start-up files, and with nothing to write to $HOME."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONSTARTUP"}
    return kept | {"IPYTHONDIR": f"{folder}/ipython", "MPLBACKEND": "agg"}


def _socket_folder() -> str:
    """Where sockets can be: the folder for temporary files, or another one if its path is too long for a socket."""
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if len(os.fsencode(folder)) <= LONGEST_FOLDER and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise ReportError(
        f"TMPDIR = {tempfile.gettempdir()!r}: longer than {LONGEST_FOLDER} bytes, which leaves no room for a socket's "
        "path, and /tmp and /var/tmp cannot be written: set TMPDIR to a shorter one"
    )


def _is_stderr(output: Any) -> bool:
    return bool(output.output_type == "stream" and output.name == "stderr")


def _failed_cell(notebook: Notebook) -> Any:
    for cell in notebook.cells:
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return cell
    return notebook.cells[0]


class _OwnTemplates(HTMLExporter):
    """With nbconvert's own templates, whatever the user's JUPYTER_PATH and home have under their names."""

    def get_prefix_root_dirs(self) -> list[str]:
        """Folders that may hold templates."""
        return [*ENV_JUPYTER_PATH, *SYSTEM_JUPYTER_PATH]


def to_html(notebook: Notebook, title: str, show_code: bool) -> str:
    """An executed notebook as a page of its own."""
    own: Any = _OwnTemplates
    exporter = own(
        template_name="basic",
        exclude_input=not show_code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.register_filter("markdown2html", _markdown)
    shown = _nbformat.from_dict({**notebook, "cells": [c for c in notebook.cells if not _hidden(c)]})
    body, _ = exporter.from_notebook_node(shown)
    style = str(HtmlFormatter(style="friendly").get_style_defs(".highlight")) if show_code else ""
    return document(title, body, style)


def _hidden(cell: Any) -> bool:
    return "remove-cell" in cell.metadata.get("tags", [])


def _markdown(source: str) -> str:
    return MarkdownWithMath(renderer=MathRenderer(escape=False, exclude_anchor_links=True)).render(source)
