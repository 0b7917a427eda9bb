"""A witness of transparency logs: cosigns a checkpoint once it has seen that the log only grew.

It is a program for somebody who does not trust the log's operator, so it stands apart: it reaches
``proofs`` and ``domain``, keeps its own files, and knows nothing of the service. It serves any log
of C2SP's formats, ours among them.

Always true (tests/unit/witness/, tests/integration/test_witness_program.py):

* of one log it cosigns checkpoints of one history only, each at least as large as the one before,
  at times that never go back;
* what it answered is on disk, and several processes on one directory are one witness;
* every refusal leaves what it knows as it was.

Source: C2SP tlog-witness v1.0.0; docs/witness.md.
"""
