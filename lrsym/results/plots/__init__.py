"""From frames to pictures."""
