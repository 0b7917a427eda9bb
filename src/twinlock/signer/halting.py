"""A halt at the signer: an officer's word that is brought to it past whoever runs the platform.

The service refuses exits under a halt. It cannot call back what it handed out, and a compromised
one hides that officers halted at all. So an officer's signed halt can be given to the signer
itself, which then clears nothing until two officers resume.

Always true (tests/unit/signer/test_signer_halting.py): under a halt that this signer heard of it
clears nothing; no officer alone ends that, nor do words that were signed before it.

Source: docs/officers.md, docs/verify.md.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from twinlock.domain.bounds import AGREEMENT_LIFETIME, OFFICERS_AGREEING
from twinlock.domain.officers.platform import NotHaltedError, check_word
from twinlock.domain.officers.statements import (
    Halt,
    Resume,
    Signed,
    Statement,
    StatementRefusedError,
    milliseconds,
    read_signed,
)
from twinlock.proofs.officers import checked
from twinlock.signer.check import check_clock_is_utc, heads_seen, opened
from twinlock.signer.memory import Hearing, SignerState
from twinlock.signer.model import SignerSettings

_HOUR = AGREEMENT_LIFETIME // timedelta(milliseconds=1)


def hear_officer(
    statement: bytes, *, settings: SignerSettings, state: SignerState, now: datetime
) -> bool:
    """Take what an officer signed for the log that this signer follows; say whether it is halted.

    ``statement`` is what ``twinlock officers sign`` prints. A resume counts with a second officer's
    of the same halt, within an hour by this signer's clock.

    Raises:
        MalformedError, StatementRefusedError: it is no officer's word to us, now, or no new one.
        NotHaltedError: there is nothing to resume.
        SignerRefusedError: head_unknown, clock_went_back, memory_unusable.
    """
    check_clock_is_utc(now)
    signed = checked(read_signed(statement))
    with opened(state) as memory:
        origin = heads_seen(memory, settings, now).origin
        _check_word(signed, settings, log=origin, now=now)
        before = _of_officers(memory.hearing(), settings)
        heard = _heard(before, signed.said, at=milliseconds(now))
        memory.put_hearing(heard)
    return heard.halted is not None


def _check_word(signed: Signed, settings: SignerSettings, *, log: str, now: datetime) -> None:
    if not settings.officers:
        raise StatementRefusedError("the settings of this signer name no officers")
    check_word(signed, officers=tuple(settings.officers), log=log, now=now)


def _of_officers(hearing: Hearing, settings: SignerSettings) -> Hearing:
    """Return ``hearing`` without the words of those who are named no more."""
    agreed = {one: word for one, word in hearing.agreed.items() if one in settings.officers}
    return replace(hearing, agreed=agreed)


def _heard(before: Hearing, said: Statement, *, at: int) -> Hearing:
    if said.nonce in before.nonces:
        raise StatementRefusedError("this statement was used before: sign another")
    used = {nonce: until for nonce, until in before.nonces.items() if until > at}
    onward = replace(before, nonces=used | {said.nonce: said.until})
    match said.act:
        case Halt(because=because):
            since = max(said.at, before.halted or 0)
            return replace(onward, halted=since, because=because, agreed={})
        case Resume(halt=number):
            return _resumed(onward, number, said, at=at)
        case _:
            raise StatementRefusedError("a signer hears of halts and of resumes, and nothing else")


def _resumed(hearing: Hearing, number: int, said: Statement, *, at: int) -> Hearing:
    """Return what is left of a halt. Prevents: words for the end of an earlier one, kept for it."""
    if hearing.halted is None:
        raise NotHaltedError("this signer heard of no halt")
    if said.at <= hearing.halted:
        raise StatementRefusedError("this was signed before the halt: sign it again")
    still = {one: word for one, word in hearing.agreed.items() if at - word[1] < _HOUR}
    agreed = {**still, said.officer: (number, at)}
    if sum(named == number for named, _ in agreed.values()) < OFFICERS_AGREEING:
        return replace(hearing, agreed=agreed)
    return replace(hearing, halted=None, because="", agreed={})
