"""Use cases: each loads, decides, records, in that order; none calls another."""
