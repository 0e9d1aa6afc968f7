"""From rows to frames: statistics of cells, phases."""
