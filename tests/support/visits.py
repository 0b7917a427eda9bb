"""Sign-ins as the platform tells of them: from home, and from where nobody of hers ever was."""

from msgspec.structs import replace
from support.cast import DAY, NOON

from twinlock.domain.account import Account
from twinlock.domain.risk.scoring import Noticed
from twinlock.domain.risk.visits import History, Visit, joined, remember

LIKELY = (0.2, 0.1, 0.1, 0.1)  # Each step of what somebody showed before.
HOME = Noticed(
    visit=Visit(
        ip=joined("DE", "3320", "203.0.113.0/24", "203.0.113.7"),
        ua=joined("pc", "Linux", "Firefox", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"),
        place=(510, 90),
        version=150,
    ),
    ip=LIKELY,
    ua=LIKELY,
)
ABROAD = replace(
    HOME, visit=replace(HOME.visit, ip=joined("BR", "1", "198.51.100.0/24", "198.51.100.1"))
)
STRANGE = replace(
    ABROAD, visit=replace(ABROAD.visit, ua=joined("phone", "Android", "Chrome", "Chrome/90"))
)


def known_at_home(account: Account, *, times: int = 10) -> Account:
    """Return ``account`` with so many sign-ins from home, one a day until yesterday."""
    history = History()
    for back in range(times, 0, -1):
        history = remember(history, HOME.visit, at=NOON - back * DAY)
    return replace(account, history=history)
