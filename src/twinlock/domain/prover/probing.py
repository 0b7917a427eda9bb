"""What the gate asks for an action, found by the gate: proofs are put to an account, one by one.

A proof is asked for, judged and counted by the functions that ``gate.decide`` calls for it, in
their order, and what is missing then is what ``decide`` would say is missing. Nothing here knows
a law or a statute.

Always true (tests/unit/domain/prover/test_probing.py): what a probe says is missing is what
``gate.decide`` answers to the same proposal and the same proofs.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, OpenAction, Session, Shown, State
from twinlock.domain.actions import (
    AnyPayload,
    ContactChange,
    SessionStart,
    payload_bytes,
    payload_digest,
    type_of,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, factor_of
from twinlock.domain.canonical import b64url
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Ask, Right, SessionSignature
from twinlock.domain.concluding import facts_of
from twinlock.domain.decisions import Rules
from twinlock.domain.ids import ChallengeId, action_id
from twinlock.domain.listed import Destination
from twinlock.domain.policy.enrolled import keys_of_a_lock
from twinlock.domain.policy.facts import Facts
from twinlock.domain.proving import (
    AT_ONCE,
    CODES,
    SENT,
    against,
    ask,
    judge,
    reaches_floor,
    session_shown,
)

Source: TypeAlias = Authenticator | Channel | Session | ApiKey
COOKIE = "cookie"  # In the place of a source: the owner's session is named, and nothing signed.
Shows: TypeAlias = Source | str
_CODE_OF = {kind: factor for factor, kind in CODES.items()}
_MAC, _NONCE = b64url(bytes(32)), b64url(bytes(32))
_STEP_SECONDS = 30  # RFC 6238, 5.2
_LIFETIME = timedelta(hours=1)


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One action that somebody wants, on an account, with what was shown for it so far."""

    account: Account
    action: OpenAction
    destination: Destination | None = None


def proposed(
    account: Account,
    payload: AnyPayload,
    *,
    secret: str = "",
    destination: Destination | None = None,
    now: datetime,
) -> Probe:
    """Return a proposal of ``payload`` for which nothing was shown yet."""
    action = OpenAction(
        action_id=action_id(account.account_id, b"a thief's action"),
        member_id=account.member_id,
        payload=payload,
        digest=payload_digest(payload_bytes(payload)),
        proposed_at=now,
        lapses_at=now + _LIFETIME,
        veto_key=_MAC,
        secret=secret,
    )
    return Probe(account=account, action=action, destination=destination)


def taken(probe: Probe, shows: Shows, *, rules: Rules, now: datetime) -> Shown | None:
    """Return ``shows`` as a proof of ``probe``, or None where the gate does not take it."""
    match shows:
        case str():
            return None
        case Session():
            return _session(probe, shows, now=now)
        case _:
            return _proof(probe, shows, rules=rules, now=now)


def with_shown(
    probe: Probe, some: Iterable[Shown], *, cookie: bool = False, rules: Rules, now: datetime
) -> Probe:
    """Return ``probe`` with ``some`` accepted; ``cookie``: a session was named, nothing signed.

    A new channel returns its code by itself: it is the thief's own.
    """
    if cookie:
        probe = replace(probe, action=replace(probe.action, unsigned=True))
    for shown in some:
        probe = accepted(probe, shown, rules=rules)
    payload = probe.action.payload
    if isinstance(payload, ContactChange) and payload.new_address and probe.action.proved_at:
        probe = _confirmed(probe, now=now)
    return probe


def accepted(probe: Probe, shown: Shown, *, rules: Rules) -> Probe:
    """Return ``probe`` after ``shown`` was accepted."""
    account, action = probe.account, probe.action
    offers = rules.policy.statutes.offers(type_of(action.payload))
    reached = shown.factor is not Factor.SESSION and reaches_floor(
        account, action, shown, offers=offers
    )
    at = shown.at if reached else action.proved_at
    return replace(probe, action=replace(action, shown=(*action.shown, shown), proved_at=at))


def _confirmed(probe: Probe, *, now: datetime) -> Probe:
    """Return ``probe`` with the code of the channel that it would add."""
    code = Shown(
        source=probe.action.secret,
        factor=Factor.CHANNEL_CODE,
        root=None,
        bound_at=probe.action.proposed_at,
        at=now,
        entry=probe.account.chain.entries,
    )
    return replace(probe, action=replace(probe.action, shown=(*probe.action.shown, code)))


def _session(probe: Probe, session: Session, *, now: datetime) -> Shown | None:
    if isinstance(probe.action.payload, SessionStart):
        return None  # Who signs in claims no session yet.
    signed = SessionSignature(
        session_id=session.session_id, thumbprint=session.thumbprint, signed_at=now
    )
    return session_shown(probe.account, signed, now=now)


def _proof(
    probe: Probe, source: Authenticator | Channel | ApiKey, *, rules: Rules, now: datetime
) -> Shown | None:
    account, action = probe.account, probe.action
    offers = rules.policy.statutes.offers(type_of(action.payload))
    factor = factor_shown(source)
    if factor is None or factor not in offers:
        return None
    right = answer_of(source, factor, now=now)
    if factor not in AT_ONCE:
        asked = ask(
            account,
            action,
            question(action, source, factor),
            offers=offers,
            helps=rules.codes,
            now=now,
        )
        if isinstance(asked, ProofFault):
            return None
        action = replace(action, challenges=(asked,))
    found = judge(account, action, right, now=now)
    return found if isinstance(found, Shown) else None


def factor_shown(source: Authenticator | Channel | ApiKey) -> Factor | None:
    """Return as which factor ``source`` is shown; a program of the owner's takes no code."""
    match source:
        case Channel(kind=kind):
            return _CODE_OF.get(kind)
        case ApiKey():
            return Factor.API_KEY
        case _:
            return factor_of(source)


def question(action: OpenAction, source: Authenticator | Channel | ApiKey, factor: Factor) -> Ask:
    """Return the question to which ``source`` answers."""
    return Ask(
        action_id=action.action_id,
        challenge_id=ChallengeId(f"chl_{factor}"),
        factor=factor,
        nonce=_NONCE,
        channel_id=source.channel_id if isinstance(source, Channel) else None,
        code_mac=_MAC if factor in SENT else "",
    )


def answer_of(source: Authenticator | Channel | ApiKey, factor: Factor, *, now: datetime) -> Right:
    """Return the right answer of ``source``: its cryptography verifies anywhere else.

    An API key is used from an address that it names: the platform says from which, and who has the
    key is taken to be there.
    """
    named, ip = "", ""
    match source:
        case Channel(channel_id=named):
            key = _MAC
        case ApiKey(api_key_id=named, public_key=key, ip_list=networks):
            ip = networks[0].partition("/")[0] if networks else ""
        case _:
            named, key = source.authenticator_id, against(source)[0]
    return Right(
        factor=factor,
        source=named,
        against=key,
        challenge_id=None if factor in AT_ONCE else ChallengeId(f"chl_{factor}"),
        totp_step=int(now.timestamp()) // _STEP_SECONDS,
        ip=ip,
    )


def state_of(probe: Probe) -> State:
    """Return the state that ``probe`` is decided on."""
    to = probe.destination
    return State(
        account=replace(probe.account, actions=(probe.action,)),
        destination_id=None if to is None else to.destination_id,
        destination=to,
    )


def facts(probe: Probe, *, rules: Rules, now: datetime) -> Facts:
    """Return the facts of deciding ``probe`` now, and those that a lock of both keys would read."""
    found = facts_of(state_of(probe), probe.action, rules=rules, now=now)
    statutes, payload = rules.policy.statutes, probe.action.payload
    return replace(found, **keys_of_a_lock(probe.account, payload, statutes, now=now))
