"""The ways to customers that one process keeps, and what is counted of them."""
