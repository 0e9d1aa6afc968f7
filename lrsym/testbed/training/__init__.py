"""Loss, optimiser and the training step."""
