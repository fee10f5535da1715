"""`python -m frl.theory SCENARIO FOLDER`: every cell that is not there yet, then tables, verdict and figures."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from frl.errors import SpecError
from frl.runs.files import write_csv
from frl.theory import figures, pipeline
from frl.theory.claims import judge
from frl.theory.spec import load


def main(scenario_path: str, folder: str) -> int:
    """Run one scenario in this process."""
    try:
        scenario = load(scenario_path)
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    cells, out, began = list(scenario.cells()), Path(folder), time.process_time()
    for index, cell in enumerate(cells, start=1):
        path = pipeline.cell_path(out, cell)
        if not path.exists():
            pipeline.run_cell(cell, scenario.seeds, path)
            print(f"{index} of {len(cells)}  {time.process_time() - began:.0f} s  {cell.cell_id}", flush=True)
    runs = {cell: pipeline.read_cell(pipeline.cell_path(out, cell)) for cell in cells}
    estimates = pipeline.table_of_estimates(scenario, runs)
    write_csv(out / "cells.csv", pipeline.table_of_cells(scenario, runs))
    write_csv(out / "estimates.csv", estimates)
    if scenario.claims is not None:
        write_csv(out / "verdict.csv", judge(scenario.claims, estimates))
    figures.draw_all(estimates, runs, out / "figures")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
