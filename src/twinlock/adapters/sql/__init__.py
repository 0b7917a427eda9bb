"""PostgreSQL: the one place where SQL stands, as named constants with a sentence above."""
