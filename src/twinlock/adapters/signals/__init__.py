"""Signals over HTTP, and the file that says whose are believed."""
