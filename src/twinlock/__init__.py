"""Twinlock: the account-security layer of a platform that holds other people's money."""
