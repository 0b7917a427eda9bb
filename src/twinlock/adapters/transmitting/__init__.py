"""Who may be told by signals, and the processes that send them."""
