"""Authenticators: what a member can prove, how each is bound, and why a proof is refused."""
