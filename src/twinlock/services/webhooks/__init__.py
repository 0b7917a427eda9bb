"""Webhooks: the operator's use cases, and the turns of sending."""
