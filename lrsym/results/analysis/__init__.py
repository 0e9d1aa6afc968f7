"""From rows to frames: statistics over replicates, phases, and which axes vary."""
