"""What a wallet signer imports: may exactly this transaction leave, now, and only once?

The signer believes its trust file, its own clock, its own memory and its own settings. It believes
neither Twinlock's servers nor the platform's: a bundle is hostile until every step has passed.

Always true (tests/unit/signer/test_signer.py, tests/vectors/test_bundle_forgeries.py):

* what is cleared was spent in the log, once, for exactly this transaction, under a current policy;
* above the session budget the customer's own key consented to it, once, and that key was bound in
  a log that this signer saw long enough ago by its own clock;
* all that leaves without such a consent stays below the signer's own daily sum;
* while an officer's halt stands that was brought to it, nothing is cleared;
* every failure refuses.

Source: docs/laws.md, law 9; docs/verify.md, which tells a wallet how to use it.
"""

from twinlock.domain.errors import SignerRefusedError
from twinlock.domain.trust import Trust, read_trust
from twinlock.signer.check import adopt_head, check_spend, follow_head
from twinlock.signer.files import FileState
from twinlock.signer.halting import hear_officer
from twinlock.signer.memory import Pages, SignerState
from twinlock.signer.model import Cleared, SignerFault, SignerSettings, Transaction

__all__ = [
    "Cleared",
    "FileState",
    "Pages",
    "SignerFault",
    "SignerRefusedError",
    "SignerSettings",
    "SignerState",
    "Transaction",
    "Trust",
    "adopt_head",
    "check_spend",
    "follow_head",
    "hear_officer",
    "read_trust",
]
