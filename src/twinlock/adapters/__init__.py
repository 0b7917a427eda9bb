"""The world: database, keys, clock, entropy, settings. Only ``bootstrap`` names what is here."""
