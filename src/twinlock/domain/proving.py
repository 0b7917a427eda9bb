"""Questions and answers: which proofs may be asked for, and whether an answer counts.

The cryptography was checked before the locks were taken; here an answer is held against the
account as it is now, under the lock.

Always true (tests/property/test_proving_properties.py):

* an answer counts for the action and the challenge it was asked for, once, in time;
* where anything stronger is bound no code is asked for, whatever page asks, except to look and to
  freeze (law 4; S02);
* while the throttle is closed, nothing that can be guessed is read.
"""

from collections.abc import Callable, Iterable
from datetime import MAXYEAR, UTC, datetime
from typing import TypeAlias, assert_never

from msgspec.structs import replace

from twinlock.domain.account import Account, Challenge, OpenAction, Shown
from twinlock.domain.actions import AnyPayload, ContactChange, PasswordReset, SessionStart, type_of
from twinlock.domain.api_keys import key_helps, key_named, level_by_key, lies_in
from twinlock.domain.assurance import Factor, Level, level_of, level_shown
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
    factor_of,
    root,
)
from twinlock.domain.bounds import (
    CHALLENGE_LIFETIME,
    SIGNED_AT_TOLERANCE,
    SIM_CHANGE_PERIOD,
)
from twinlock.domain.canonical import b64url, tagged_hash
from twinlock.domain.catalogue import ALARMS, ActionType
from twinlock.domain.channels import ChannelKind
from twinlock.domain.code_limits import codes_from
from twinlock.domain.commands import Ask, Right, SessionSignature, Wrong
from twinlock.domain.errors import invariant, present
from twinlock.domain.members import asking_fault, judge_member, of_member, root_name
from twinlock.domain.newcomers import code_root
from twinlock.domain.people import agreement_fault, contact_root, judge_contact
from twinlock.domain.policy.facts import SessionState
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Never
from twinlock.domain.signals import SPARED
from twinlock.domain.successors import counts, is_foreign, is_read, passkeys_are_read
from twinlock.domain.throttle import can_be_guessed, closed_until

CODES = {Factor.EMAIL_CODE: ChannelKind.EMAIL, Factor.SMS_CODE: ChannelKind.SMS}
# They answer no question: three are typed, and an API key signs the action's own id.
AT_ONCE = (Factor.PASSWORD, Factor.TOTP, Factor.RECOVERY_CODE, Factor.API_KEY)
SENT = frozenset({*CODES, Factor.CHANNEL_CODE})  # What is answered with a code that was sent.
CodesHelp: TypeAlias = Callable[[Account, OpenAction], bool]


def codes_help(account: Account, action: OpenAction) -> bool:
    """Say whether a code may be asked for: law 4, as a question to the customer.

    Where anything stronger is bound, only to look, to freeze, and to report what is lost; of
    several members nobody looks by one. Prevents: a member with another's password and the mailbox
    that all read, who says no in the other's name.
    """
    little = ALARMS if account.members else ALARMS | {ActionType.SESSION_START}
    return account.floor <= Level.OUT_OF_BAND or type_of(action.payload) in little


def recovery_helps(account: Account, action: OpenAction) -> bool:
    """Say whether a recovery code is read for this action: a closed list.

    Always to look and to freeze; below the floor of a passkey also to sign in, and to replace what
    was lost. Never for what leaves, nor for a way out.
    """
    return recovery_counts(type_of(action.payload), account.floor)


def recovery_counts(kind: str, floor: Level) -> bool:
    """Say whether a recovery code is read for actions of ``kind`` on accounts of this floor."""
    if kind in (ActionType.SESSION_START, ActionType.FREEZE_SET):
        return True
    replaces = kind in (ActionType.AUTHENTICATOR_BIND, ActionType.AUTHENTICATOR_REMOVE)
    return replaces and floor <= Level.POSSESSION


def unread(
    account: Account, action: OpenAction, factor: Factor, *, now: datetime
) -> ProofFault | None:
    """Return why no answer of ``factor`` for ``action`` is read now, right or wrong, or None.

    Prevents: recovery codes tried out where they do not count.
    """
    if factor is Factor.RECOVERY_CODE and not recovery_helps(account, action):
        elsewhere = recovery_counts(type_of(action.payload), Level.NONE)
        return ProofFault.BELOW_FLOOR if elsewhere else ProofFault.NOT_OFFERED
    if factor is Factor.API_KEY and not key_helps(action):
        return ProofFault.WRONG_KIND
    if factor is Factor.PASSKEY and not passkeys_are_read(account, action.payload):
        return ProofFault.IMPORTED
    if factor is Factor.SMS_CODE and not account.sms_counts(now):
        return ProofFault.SIM_CHANGED
    if factor in CODES and _all_muted(account, action, factor, now=now):
        return ProofFault.CHANNEL_SIGNALLED
    if closed(account, action, factor, now=now):
        return ProofFault.THROTTLED
    return suspended_fault(account, factor, now=now)


def ask(
    account: Account,
    action: OpenAction,
    command: Ask,
    *,
    offers: frozenset[Factor],
    now: datetime,
    helps: CodesHelp = codes_help,
) -> Challenge | ProofFault:
    """Return the challenge to put to the customer, or why this question is not asked.

    ``offers`` are the factors that the policy lets this action be proved by. ``helps`` says where
    codes may be asked for; like the laws it is an argument.
    """
    invariant(bool(command.code_mac) == (command.factor in SENT), "a code has a MAC, others none")
    if command.factor not in offers:
        return ProofFault.NOT_OFFERED
    if command.factor in CODES:
        helpful = helps(account, action)
        fault = (
            _code_fault(account, action, command, now=now) if helpful else ProofFault.BELOW_FLOOR
        )
    elif command.factor is Factor.CHANNEL_CODE:
        fault = _new_channel_fault(account, action, command, now=now)
    elif command.factor is Factor.TRUSTED_CONTACT:
        fault = agreement_fault(account, action)
    elif command.factor is Factor.MEMBER:
        fault = asking_fault(account, action)
    else:
        own = of_member(account, action.member_id)
        bound = {factor_of(one) for one in own.authenticators}
        fault = None if command.factor in bound else ProofFault.AUTHENTICATOR_GONE
    fault = fault or unread(account, action, command.factor, now=now)
    if fault is not None:
        return fault
    return Challenge(
        challenge_id=command.challenge_id,
        factor=command.factor,
        expires_at=now + CHALLENGE_LIFETIME,
        nonce=command.nonce,
        channel_id=command.channel_id,
        code_mac=command.code_mac,
    )


def _code_fault(
    account: Account, action: OpenAction, command: Ask, *, now: datetime
) -> ProofFault | None:
    """Return why no code is sent to this channel now, or None."""
    kinds = {one.channel_id: one.kind for one in account.channels}
    if command.channel_id is None or kinds.get(command.channel_id) is not CODES[command.factor]:
        return ProofFault.AUTHENTICATOR_GONE
    if _mutes(account, action, command.channel_id, now=now):
        return ProofFault.CHANNEL_SIGNALLED
    return _too_often(account, action, now=now)


def _mutes(account: Account, action: OpenAction, channel_id: str, *, now: datetime) -> bool:
    spared = type_of(action.payload) in SPARED
    return not spared and account.signals.mutes(channel_id, now)


def _all_muted(account: Account, action: OpenAction, factor: Factor, *, now: datetime) -> bool:
    """Say whether a signal took every channel's voice to which codes of ``factor`` are sent."""
    could = [one.channel_id for one in account.channels if one.kind is CODES[factor]]
    return bool(could) and all(_mutes(account, action, one, now=now) for one in could)


def _new_channel_fault(
    account: Account, action: OpenAction, command: Ask, *, now: datetime
) -> ProofFault | None:
    """Return why no code is sent to the channel that ``action`` would add, or None.

    Prevents: strangers who have messages sent to whomever they like, by proposing changes.
    """
    named = isinstance(action.payload, ContactChange) and bool(action.payload.new_address)
    if not named or action.proved_at is None or command.channel_id != action.secret:
        return ProofFault.CHANNEL_NOT_READY
    if confirmed(action):
        return ProofFault.ALREADY_SHOWN
    return _too_often(account, action, now=now)


def confirmed(action: OpenAction) -> bool:
    """Say whether the channel that ``action`` would add has returned its code."""
    return any(one.factor is Factor.CHANNEL_CODE for one in action.shown)


def suspended_fault(account: Account, factor: Factor, *, now: datetime) -> ProofFault | None:
    """Return that nothing of ``factor`` answers now, where all that could is suspended.

    The same is told of right and wrong answers, which are not read. Prevents: guessing on.
    """
    could = [one for one in account.authenticators if factor_of(one) is factor]
    dead = bool(could) and all(one.suspended(now) for one in could)
    return ProofFault.SUSPENDED if dead else None


def _too_often(account: Account, action: OpenAction, *, now: datetime) -> ProofFault | None:
    return ProofFault.CODES_LIMITED if codes_from(account, action, now=now) > now else None


def why_not(account: Account, action: OpenAction, fault: ProofFault, *, now: datetime) -> Never:
    """Return the reason of a refused question or proof, and its end where it has one (law 10)."""
    match fault:
        case ProofFault.THROTTLED:
            until = closed_until(account.throttle_of(action), now=now)
            ends = None if until is None or until.year == MAXYEAR else until
            return Never(code=Reason.THROTTLED, until=ends)
        case ProofFault.CODES_LIMITED:
            return Never(code=Reason.CODES_LIMITED, until=codes_from(account, action, now=now))
        case ProofFault.SIM_CHANGED:
            changed = present(account.sim_changed_at, "a SIM that changed did so once")
            return Never(code=Reason.SIM_CHANGED, until=changed + SIM_CHANGE_PERIOD)
        case ProofFault.CHANNEL_SIGNALLED:
            later = [at for at in account.signals.muted.values() if at > now.timestamp()]
            first = datetime.fromtimestamp(min(later), tz=UTC)
            return Never(code=Reason.CHANNEL_SIGNALLED, until=first)
        case _:
            return Never(code=Reason.PROOF_NOT_BOUND)


def closed(account: Account, action: OpenAction, factor: Factor, *, now: datetime) -> bool:
    """Say whether no answer of ``factor`` for ``action`` is read now: too many were wrong."""
    if not can_be_guessed(factor):
        return False
    return closed_until(account.throttle_of(action), now=now) is not None


def fault_told(account: Account, action: OpenAction, wrong: Wrong, *, now: datetime) -> ProofFault:
    """Return what is told of a wrong answer: the same as of a right one, while none is read.

    What the policy does not offer is told as that, as when it is asked for: it never changes.
    Prevents: guessing on while the throttle is closed, and learning from the fault what was right.
    """
    if wrong.fault is ProofFault.NOT_OFFERED:
        return wrong.fault
    return unread(account, action, wrong.factor, now=now) or wrong.fault


def level_for(
    account: Account, payload: AnyPayload, factors: Iterable[Factor], *, offers: frozenset[Factor]
) -> Level:
    """Return the level that ``factors`` show together for ``payload``.

    Who forgot the password of an account that has nothing stronger shows a code from each kind of
    channel that takes one in its place (SP 800-63B-4, 4.2.2.2: two by different methods). That is
    told and waits; a code never stands in for anything stronger (O-08). Prevents: a policy that
    offers codes of one kind alone, and makes one mailbox enough.
    """
    shown, floor = set(factors), account.floor
    if isinstance(payload, PasswordReset) and floor is Level.OUT_OF_BAND:
        kinds = {one.kind for one in account.channels}
        asked = {factor for factor, kind in CODES.items() if kind in kinds}
        return Level.OUT_OF_BAND if asked and asked <= shown & offers else Level.NONE
    return level_shown(shown, floor=floor)


def reaches_floor(
    account: Account, action: OpenAction, shown: Shown, *, offers: frozenset[Factor]
) -> bool:
    """Say whether ``shown`` brings the proofs of ``action`` to the floor, or repeats that it does.

    Prevents: a known password shown beside the owner's passkey, to open the throttle again.
    """
    floor = max(account.floor, Level.KNOWLEDGE)
    if shown.factor is Factor.API_KEY:
        return level_by_key(account, shown) >= floor
    if not counts(account, action.payload, shown):
        return False
    before = [
        one.factor
        for one in action.shown
        if account.stands(one) and counts(account, action.payload, one)
    ]

    def level(factors: Iterable[Factor]) -> Level:
        return level_for(account, action.payload, factors, offers=offers)

    if level((*before, shown.factor)) < floor:
        return False
    return level(before) < floor or level_of(shown.factor) >= floor


def judge(
    account: Account, action: OpenAction, right: Right, *, now: datetime
) -> Shown | ProofFault:
    """Return the proof as it counts for ``action``, or why it does not."""
    fault = unread(account, action, right.factor, now=now)
    if fault is None and _shown_already(account, action, right):
        fault = ProofFault.ALREADY_SHOWN
    if fault is not None:
        return fault
    if right.challenge_id is None and right.factor not in AT_ONCE:
        return ProofFault.CHALLENGE_GONE
    challenge = next(
        (one for one in action.challenges if one.challenge_id == right.challenge_id), None
    )
    if right.challenge_id is not None and (
        challenge is None or challenge.expires_at <= now or challenge.factor is not right.factor
    ):
        return ProofFault.CHALLENGE_GONE
    if right.factor in (Factor.API_KEY, Factor.TRUSTED_CONTACT, Factor.MEMBER):
        key = right.factor is Factor.API_KEY
        return (_judge_key if key else _judge_other)(account, action, right, now=now)
    if challenge is not None and right.factor in SENT:
        return _judge_code(account, action, challenge, right, now=now)
    bound = account.authenticator(right.source)
    if bound is None or not _answers(bound, action, right):
        return ProofFault.AUTHENTICATOR_GONE
    if is_foreign(bound) and not is_read(account, action.payload):
        return ProofFault.IMPORTED
    return _judge_bound(account, bound, right, now=now)


def _shown_already(account: Account, action: OpenAction, right: Right) -> bool:
    """Say whether the same was shown before; of API keys one signs, and no second one."""
    by_key = right.factor is Factor.API_KEY
    same = (
        one
        for one in action.shown
        if one.source == right.source or (by_key and one.factor is right.factor)
    )
    return any(account.stands(one) for one in same)


def _judge_key(
    account: Account, _: OpenAction, right: Right, *, now: datetime
) -> Shown | ProofFault:
    """Return an API key's proof; how far it reaches is for the laws, on the facts of each day.

    It answers no question of ours: what it signed names the action, which is proposed once.
    """
    found = key_named(account, right.against)
    if found is None or found.key.api_key_id != right.source:
        return ProofFault.AUTHENTICATOR_GONE
    key = found.key
    shown = _shown(account, right, root=None, bound_at=key.created_at, now=now)
    there = found.usable_from is None
    return replace(shown, bound_entry=key.entry if there else 0, ip=lies_in(key.ip_list, right.ip))


def _judge_bound(
    account: Account, bound: Authenticator, right: Right, *, now: datetime
) -> Shown | ProofFault:
    if bound.suspended(now):
        return ProofFault.SUSPENDED
    if isinstance(bound, Totp) and right.totp_step <= bound.last_step:
        return ProofFault.CODE_REPLAYED
    shown = _shown(account, right, root=root(bound, now=now), bound_at=bound.bound_at, now=now)
    return replace(shown, bound_entry=bound.entry)


def _judge_other(
    account: Account, action: OpenAction, right: Right, *, now: datetime
) -> Shown | ProofFault:
    """Return the agreement of somebody else: a trusted contact, or another member."""
    contact = right.factor is Factor.TRUSTED_CONTACT
    judge_one = judge_contact if contact else judge_member
    found = judge_one(account, action, right.source, right.against)
    if isinstance(found, ProofFault):
        return found
    if found.suspended(now):
        return ProofFault.SUSPENDED
    own = contact_root(found) if contact else root_name(found.member_id)
    shown = _shown(account, right, root=own, bound_at=found.bound_at, now=now)
    return replace(shown, bound_entry=found.entry)


def _answers(bound: Authenticator, action: OpenAction, right: Right) -> bool:
    """Say whether ``right`` is this authenticator's answer, as it stands, by the member asked."""
    same = right.against in against(bound) and factor_of(bound) is right.factor
    return same and bound.member_id == action.member_id


def _judge_code(
    account: Account, action: OpenAction, challenge: Challenge, right: Right, *, now: datetime
) -> Shown | ProofFault:
    if challenge.channel_id != right.source:
        return ProofFault.AUTHENTICATOR_GONE
    if challenge.code_mac != right.against:
        return ProofFault.CHALLENGE_GONE
    if right.factor is Factor.CHANNEL_CODE:  # Its channel is the action's own, or none was asked.
        return _shown(account, right, root=None, bound_at=action.proposed_at, now=now)
    channel = account.channel(right.source)
    if channel is None:
        return ProofFault.AUTHENTICATOR_GONE
    own = code_root(channel, now=now)
    shown = _shown(account, right, root=own, bound_at=channel.bound_at, now=now)
    return replace(shown, bound_entry=channel.entry)


def _shown(
    account: Account, right: Right, *, root: str | None, bound_at: datetime, now: datetime
) -> Shown:
    return Shown(
        source=right.source,
        factor=right.factor,
        root=root,
        bound_at=bound_at,
        at=now,
        entry=account.chain.entries,
        digest=digest_of(right.evidence),
    )


def against(authenticator: Authenticator) -> tuple[str, ...]:
    """Return what an answer of this authenticator is checked against: one of these."""
    match authenticator:
        case Password(verifier=verifier):
            return (verifier,)
        case Totp(seed=seed):
            return (seed,)
        case Passkey(public_key=public_key):
            return (public_key,)
        case RecoveryCodes(left=left):
            return left
        case _:
            assert_never(authenticator)


def digest_of(evidence: bytes) -> str:
    """Return the digest under which evidence is committed, or "" where there is none."""
    return b64url(tagged_hash("proof/v1", evidence)) if evidence else ""


def device_asks(start: SessionStart, signature: SessionSignature | None, *, now: datetime) -> bool:
    """Say whether the device that would sign in signed this very proposal, now.

    Prevents: guesses that count as a known device's because they name its public key.
    """
    if signature is None or signature.thumbprint != start.device:
        return False
    return _signed_now(signature, now=now)


def _signed_now(signature: SessionSignature, *, now: datetime) -> bool:
    at = signature.signed_at
    return at is not None and abs(now - at) <= SIGNED_AT_TOLERANCE


def session_shown(account: Account, signature: SessionSignature, *, now: datetime) -> Shown | None:
    """Return the session's proof, or None when its device key did not sign now.

    Prevents: the copied cookie, and a signature kept for later.
    """
    session = account.session(signature.session_id)
    if session is None or session.state(now) is SessionState.NONE:
        return None
    if not signature.thumbprint or signature.thumbprint != session.thumbprint:
        return None
    if not _signed_now(signature, now=now):
        return None
    return Shown(
        source=session.session_id,
        factor=Factor.SESSION,
        root=None,
        bound_at=session.started_at,
        at=now,
        entry=account.chain.entries,
        digest=digest_of(signature.evidence),
        bound_entry=session.entry,
    )
