"""Order intents: orders that a platform is about to place, examined in cheap batches."""
