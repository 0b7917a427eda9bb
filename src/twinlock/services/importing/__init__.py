"""Moving in: lines of a file read, checked, and taken over as accounts."""
