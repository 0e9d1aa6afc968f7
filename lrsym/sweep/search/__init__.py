"""Where to train next: searches with Optuna's samplers, and boundaries that are refined."""
