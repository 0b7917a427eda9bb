"""The keyring: keys in files or in a token, and what works with them."""
