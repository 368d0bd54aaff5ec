"""A slow, obvious, exact reading of docs/SPEC.md that shares no line with the package."""
