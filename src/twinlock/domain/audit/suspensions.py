"""What officers said of one account, decided once more from their signed words.

Always true (tests/unit/domain/audit/test_audit_suspensions.py): a suspension, an agreement and a
release stand only where the function that decides them makes the very same of the statement that
the entry commits to, of who was an officer then, and of the account as it stood.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from twinlock.domain.account import Account, State
from twinlock.domain.audit.parts import PlatformActs
from twinlock.domain.commands import OfficerSpeaks
from twinlock.domain.errors import TwinlockError
from twinlock.domain.events import Event
from twinlock.domain.officers.statements import Signed, read_signed
from twinlock.domain.outside_events import OfficersEvent
from twinlock.domain.suspending import spoken

_NO_STANDING = b""  # Who counts is known here: nothing can have changed meanwhile.


class OfficersWords(NamedTuple):
    """By what officers' words are checked: who they were, the log's name, and a signature's check.

    ``check`` raises TwinlockError where a signature is not that of the officer it names.
    """

    platform: PlatformActs
    log: str
    check: Callable[[Signed], object]


def unsaid(
    account: Account | None,
    events: Sequence[Event],
    payload: str,
    *,
    index: int,
    words: OfficersWords,
) -> str:
    """Return why ``events`` are not what officers said of ``account``; "" where they are.

    ``payload`` is what the entry commits to as such, and ``index`` where its leaf stands.
    """
    said = [event for event in events if isinstance(event, OfficersEvent)]
    if not said:
        return ""
    if account is None:
        return "nobody can tell how the account stood"
    try:
        signed = read_signed(payload.encode("utf-8"))
        words.check(signed)
        officers, instead = words.platform.officers_at(index)
        command = OfficerSpeaks(
            signed=signed,
            officers=officers,
            instead=instead,
            standing=_NO_STANDING,
            log=words.log,
        )
        made = spoken(State(account=account), command, now=said[0].at)
    except TwinlockError as error:
        return str(error)
    return "" if list(made.events) == list(events) else "that is not what was said"
