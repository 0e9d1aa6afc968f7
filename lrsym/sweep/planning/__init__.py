"""From trials and store to packs and their cost. Arithmetic only."""
