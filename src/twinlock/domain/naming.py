"""Which name a destination goes by, while the keyring holds more than one key to name it with.

Always true (tests/unit/domain/test_naming.py, tests/integration/test_index_rotation.py): an account
knows a destination by one name only, whichever keys came since. So it is listed once, with one
budget and one past, and an old row of it is never a new one.
"""

from twinlock.domain.account import Account
from twinlock.domain.forgetting import versions_of
from twinlock.domain.ids import DestinationId


def name_of(account: Account, names: tuple[DestinationId, ...]) -> DestinationId:
    """Return the one of ``names``, all of one destination, that ``account`` knows it by.

    What is listed, or was, keeps its name; so does what is being proposed. A new one has the first.
    """
    pending = {action.secret for action in account.actions}
    kept = versions_of(account)
    known = [name for name in names if name in kept or name in pending]
    listed = [name for name in known if name in kept]
    return [*listed, *known, names[0]][0]
