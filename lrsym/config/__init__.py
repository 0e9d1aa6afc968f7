"""What a trial is: every axis with type, bounds, default and source, and the identity made from them."""
