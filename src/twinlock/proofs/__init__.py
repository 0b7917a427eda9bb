"""Pure checks that need cryptography: each returns the checked value or raises a coded error."""
