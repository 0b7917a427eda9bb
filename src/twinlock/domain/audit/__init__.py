"""What an audit compares: the log with its tree, and the state with the log's events."""
