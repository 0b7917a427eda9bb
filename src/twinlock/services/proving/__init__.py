"""Proving: asking the customer, checking what is answered, and taking it."""
