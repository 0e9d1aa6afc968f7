"""HTML pages that need no network: one base template, one way to render."""
