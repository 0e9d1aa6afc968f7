"""The tables on disk: schema, parts, lookup."""
