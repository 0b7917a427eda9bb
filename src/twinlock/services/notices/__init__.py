"""The use cases of notices: what is told, sending it, and noting what became of it."""
