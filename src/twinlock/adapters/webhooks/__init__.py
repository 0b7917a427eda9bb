"""Webhooks over HTTP, and the processes that send them."""
