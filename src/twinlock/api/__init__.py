"""JSON for the platform's servers. OpenAPI 3.1 is made from this code."""
