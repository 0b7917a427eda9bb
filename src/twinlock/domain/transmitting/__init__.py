"""What other parties are told of accounts by signals, and who may be told."""
