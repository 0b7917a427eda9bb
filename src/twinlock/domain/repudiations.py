"""Saying "this was not me" after the fact, by the link of a notice or from a signed-in device.

A channel that is older than what was bound may, one that it replaced included, and so may a session
that something older began. The same can be proposed and proved (``authenticator.repudiate``,
``contact.repudiate``); here the secret of the link, or the device's signature, is the proof.
"""

from datetime import datetime

import msgspec

from twinlock.domain.account import Account, OpenAction, State
from twinlock.domain.actions import AuthenticatorBind, ContactChange, PasswordChange, PasswordReset
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Repudiate
from twinlock.domain.decisions import Decision
from twinlock.domain.effects import hold_on_exits
from twinlock.domain.members import is_own
from twinlock.domain.newcomers import (
    is_newcomer,
    is_older,
    links,
    newcomer,
    outranked,
    somebody_left,
    undo,
    undone,
)
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.proving import session_shown
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never


def bound_by(action: OpenAction) -> str:
    """Return what an action that is done has bound, as far as that can be repudiated, or ""."""
    match action.payload:
        case AuthenticatorBind() | PasswordChange() | PasswordReset():
            made: Authenticator = msgspec.json.decode(action.secret, type=Authenticator)
            return made.authenticator_id
        case ContactChange(new_address=address):
            return action.secret if address else ""
        case _:
            return ""


def repudiate(state: State, command: Repudiate, *, statutes: Statutes, now: datetime) -> Decision:
    """Undo what the action of ``command`` bound, at once, if its speaker may say so."""
    kind = ActionType.AUTHENTICATOR_REPUDIATE
    if command.target.startswith("chn_"):
        kind = ActionType.CONTACT_REPUDIATE
    why_not = objection(state.account, command, now=now)
    if why_not is not None:
        never = Never(code=why_not)
        return Decision(
            kind=kind, action_id=command.action_id, answer=Answer.DENY, requirement=never
        )
    return Decision(
        kind=kind,
        action_id=command.action_id,
        answer=Answer.ALLOW,
        events=(
            *undo(state.account, command.entry, since=command.bound_at, level=Level.NONE, now=now),
            *hold_on_exits(kind, statutes.exits_held(kind), now=now),
        ),
    )


def objection(account: Account, command: Repudiate, *, now: datetime) -> Reason | None:
    """Return why ``command`` is not heard, or None where it is.

    What it names may be bound no more: its action says what it was. Prevents: a thief's passkey
    that removes itself, so that nobody can undo what it proved.
    """
    if undone(account, command.entry):
        return Reason.TARGET_GONE
    if not is_newcomer(command.bound_at, now=now):
        return Reason.REPUDIATION_OVER
    spoken_at = _age(account, command, now=now)
    if spoken_at is None or not is_older(spoken_at, command.bound_at):
        return Reason.NOT_ENTITLED
    by_link = command.channel_id is not None
    if by_link and outranked(account, command.entry, spoken_at, now=now):
        return Reason.NOT_ENTITLED
    return None if somebody_left(account, command.entry) else Reason.LAST_CHANNEL


def _age(account: Account, command: Repudiate, *, now: datetime) -> datetime | None:
    if command.channel_id is not None:
        target = newcomer(account, command.target)
        own = links(target) if isinstance(target, Channel) else ()
        speakers = (one for one in (*account.channels, *own) if not one.removed)
        ages = (one.bound_at for one in speakers if one.channel_id == command.channel_id)
        return next(ages, None)
    if command.session is None or session_shown(account, command.session, now=now) is None:
        return None
    session = account.session(command.session.session_id)
    if session is None or not is_own(account, command.target, session.member_id):
        return None
    return session.bound_at
