"""What hands packs to workers: local processes, Ray Tune."""
