"""Exits that a platform executed, held against the spends in the log (docs/reconcile.md)."""
