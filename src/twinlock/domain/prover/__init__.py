"""The prover: which smallest sets of capabilities end in theft, how soon, and the proof of none."""
