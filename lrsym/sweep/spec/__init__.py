"""From a sweep file to its trials."""
