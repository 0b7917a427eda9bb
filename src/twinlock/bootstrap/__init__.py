"""The composition root: the only place that names adapters. A module for each thing to open."""
