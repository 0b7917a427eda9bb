"""Webhooks: what platforms are told, and where it may go."""
