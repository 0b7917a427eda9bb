"""Actions before proof: proposed, previewed, and asked about."""
