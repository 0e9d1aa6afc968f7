"""The Ray engine: `engine` runs the packs, `connection` finds or starts a Ray. Only here is Ray imported."""
