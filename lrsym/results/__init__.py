"""From rows to understanding: the store, statistics of cells, phases, plots. Knows no torch and no Ray."""
