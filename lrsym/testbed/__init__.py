"""The science: scenes, encoders, training, evaluation, mechanism. Knows no Ray, no Parquet and no files."""
