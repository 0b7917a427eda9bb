"""Erasing an account: what the log keeps of it, and what is told of one that is gone.

An account ends by an entry of a type of its own. With it, all that opens its entries is destroyed:
its key, its documents, salts and values. Its leaves stay where they are, each with a mark that
says it belonged to somebody who was erased, and never to whom.

Source: docs/erasure.md.
"""

from twinlock.domain.errors import TwinlockError

ERASED_ENTRY = "account.erased"  # The type of the last entry of an account.


class AccountErasedError(TwinlockError):
    """The account of this id was erased, and everything about it is gone: forget the id."""

    code = "account_erased"
    status = 410
