"""What a proposal must be before the gate looks at it: about this account, bounded, and consistent.

A proposal that is not is our own mistake or nonsense, never a "no": nothing is committed for it.
"""

from datetime import datetime

import msgspec

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    AuthenticatorBind,
    MemberAdd,
    NoticeWordSet,
    PasswordChange,
    PasswordReset,
    TrustedContactAdd,
    payload_bytes,
)
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    credential_of,
    factor_of,
)
from twinlock.domain.bounds import PAYLOAD_BYTES_MOST, SECRET_BYTES_MOST
from twinlock.domain.commands import Propose
from twinlock.domain.errors import InvariantError, TwinlockError, invariant
from twinlock.domain.ids import account_of
from twinlock.domain.members import check_name, member_ids
from twinlock.domain.notice_words import opened


class MemberUnknownError(TwinlockError):
    """The account has no such member."""

    code = "member_unknown"
    status = 404


class PayloadTooLargeError(TwinlockError):
    """An action that says more than an action may: its account's document must stay small."""

    code = "payload_too_large"
    status = 413


def check_proposal(account: Account, command: Propose, *, now: datetime) -> None:
    """Check that ``command`` can be proposed in ``account``.

    Raises:
        MemberUnknownError: it names somebody who is no member.
        PayloadTooLargeError: the canonical payload is longer than PAYLOAD_BYTES_MOST.
        ProofRefusedError: its candidate is gone, or was used up by another proposal.
        MalformedError: a member whom it adds has the name of another one (``members.check_name``).
    """
    named = {command.payload.account, account_of(command.action_id), account.account_id}
    invariant(len(named) == 1, "a proposal, its payload and its account are one")
    if command.member_id not in (None, *member_ids(account)):
        raise MemberUnknownError("no such member of this account")
    known = {one.action_id for one in account.actions}
    invariant(command.action_id not in known, "an action is proposed once")
    if len(payload_bytes(command.payload)) > PAYLOAD_BYTES_MOST:
        raise PayloadTooLargeError(f"the payload has more than {PAYLOAD_BYTES_MOST} bytes")
    if len(command.secret.encode()) > SECRET_BYTES_MOST:
        raise PayloadTooLargeError(f"what takes effect has more than {SECRET_BYTES_MOST} bytes")
    live = (one.candidate_id for one in account.candidates if one.expires_at > now)
    if command.candidate_id is not None and command.candidate_id not in live:
        raise ProofRefusedError(ProofFault.CHALLENGE_GONE)
    if isinstance(command.payload, MemberAdd):
        check_name(account, command.payload.name, now=now)
    _check_secret(account, command)


def _check_secret(account: Account, command: Propose) -> None:
    """Check that what would be bound is what is signed, and replaces nothing but a password.

    Prevents: one change signed and another authenticator taking effect; and a secret that only
    fails when it is due, before every later command of the account.
    """
    payload, secret = command.payload, command.secret
    if isinstance(payload, NoticeWordSet):
        opened(secret, payload.commitment)
    binds = AuthenticatorBind | PasswordChange | PasswordReset | TrustedContactAdd | MemberAdd
    if not isinstance(payload, binds):
        return
    try:
        made: Authenticator = msgspec.json.decode(secret, type=Authenticator)
    except msgspec.MsgspecError as error:
        raise InvariantError("what is bound is an authenticator") from error
    old = account.authenticator(made.authenticator_id)
    if isinstance(payload, PasswordChange | PasswordReset):
        # Where the password was removed by what was just due, the law says that it is gone.
        fits = isinstance(made, Password) and isinstance(old, Password | None)
        invariant(fits, "what is set is a password")
    elif isinstance(payload, TrustedContactAdd):
        signed = isinstance(made, Passkey) and credential_of(made) == payload.credential
        invariant(signed and old is None, "a contact has the passkey that was signed, and is new")
    elif isinstance(payload, MemberAdd):
        signed = isinstance(made, Passkey) and credential_of(made) == payload.credential
        invariant(signed and old is None, "a member has the passkey that was signed, and is new")
        known = {*member_ids(account), *(one.member_id for one in account.contacts)}
        fresh = made.member_id == payload.member_id and made.member_id not in known
        invariant(fresh, "a new member is nobody who is one")
    else:
        own = made.member_id == (command.member_id or account.member_id)
        invariant(own, "what is bound is of the member who asks")
        invariant(factor_of(made) == payload.authenticator, "what is bound is what was signed")
        invariant(old is None, "what is bound is new")
