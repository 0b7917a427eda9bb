"""Officers: the few people whose keys stop the platform, and let it go on (law 7)."""
