"""Everything whose change must only redraw: curves, statistics, figures, tables, report."""
