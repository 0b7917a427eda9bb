"""The range: attack stories and their benign twins, played with real devices in software."""
