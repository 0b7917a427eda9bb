"""The transparency log's arithmetic: hashes, tiles, notes, checkpoints, proofs, trust.

Everything here is a function of bytes. Keys sign and verify in ``twinlock.proofs.notes``; the store
keeps the rows. The formats are C2SP's, unmodified; docs/log-format.md tells them to auditors.
"""
