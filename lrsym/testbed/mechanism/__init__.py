"""By which mechanism a trained model works."""
