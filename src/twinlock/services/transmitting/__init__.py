"""Signals to other parties: their streams, and what is sent on them."""
