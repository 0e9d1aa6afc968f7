"""What a GPU does with packs: `python -m benchmarks.gpu`, apart from the other parts, for a GPU at hand for minutes."""
