"""Policy: what a platform adds to the laws. Facts, profiles and statutes."""
