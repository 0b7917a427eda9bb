"""Notices by e-mail: the message, and the way to the operator's own mail server."""
