"""From a pack to its rows."""
