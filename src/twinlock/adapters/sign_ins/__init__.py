"""Sign-ins as a platform tells of them: what they are, and how often others are seen so."""
