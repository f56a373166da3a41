"""One interface, one module an engine."""
