"""From drafts to payloads, for what changes how an account stands: channels, reports, a reset.

Whatever is named is looked up in the account as it was read; under the lock the gate looks again
(``policy.targets``), so that what is signed is what stands there.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from msgspec.structs import replace

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    AnyPayload,
    AuthenticatorReactivate,
    AuthenticatorRemove,
    AuthenticatorRepudiate,
    AuthenticatorSuspend,
    ContactChange,
    ContactRepudiate,
    MemberRemove,
    TrustedContactRemove,
)
from twinlock.domain.authenticators.model import Password
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import Channel
from twinlock.domain.contacts import normal_address
from twinlock.domain.drafts import (
    AuthenticatorRemoveDraft,
    ContactChangeDraft,
    ContactRepudiateDraft,
    MemberRemoveDraft,
    TrustedContactRemoveDraft,
    parse,
)
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.ids import AuthenticatorId
from twinlock.domain.members import since
from twinlock.domain.newcomers import newcomer
from twinlock.domain.people import contact_of
from twinlock.domain.policy.targets import password

Made: TypeAlias = tuple[AnyPayload, str]  # A payload, and what takes effect with it.
_Named: TypeAlias = (
    AuthenticatorRemove | AuthenticatorSuspend | AuthenticatorReactivate | AuthenticatorRepudiate
)
_NAMED: Mapping[str, type[_Named]] = MappingProxyType(
    {
        ActionType.AUTHENTICATOR_REMOVE: AuthenticatorRemove,
        ActionType.AUTHENTICATOR_SUSPEND: AuthenticatorSuspend,
        ActionType.AUTHENTICATOR_REACTIVATE: AuthenticatorReactivate,
        ActionType.AUTHENTICATOR_REPUDIATE: AuthenticatorRepudiate,
    }
)
CHANGES: frozenset[str] = frozenset(
    {
        *_NAMED,
        ActionType.CONTACT_CHANGE,
        ActionType.CONTACT_REPUDIATE,
        ActionType.TRUSTED_CONTACT_REMOVE,
        ActionType.MEMBER_REMOVE,
    }
)


class NotFoundError(TwinlockError):
    """The thing that the action names does not exist in this account."""

    code = "target_not_found"
    status = 404


def change(kind: str, data: dict[str, Any], account: Account, *, fresh: str) -> Made:
    """Return the payload of ``kind``, one of CHANGES, and its secret; ``fresh`` names what comes.

    Raises:
        MalformedError: the draft does not have its form, or changes nothing.
        ChannelAddressError, NotFoundError: as they say.
    """
    if kind == ActionType.CONTACT_CHANGE:
        return _change_contact(parse(data, ContactChangeDraft), account, fresh)
    if kind == ActionType.CONTACT_REPUDIATE:
        return _repudiate_channel(parse(data, ContactRepudiateDraft), account), ""
    if kind in (ActionType.TRUSTED_CONTACT_REMOVE, ActionType.MEMBER_REMOVE):
        return _person_leaves(kind, data, account), ""
    named = parse(data, AuthenticatorRemoveDraft).authenticator_id
    if account.authenticator(named) is None:
        raise NotFoundError("this account has no such authenticator")
    return _NAMED[kind](account=account.account_id, authenticator_id=named), ""


def _person_leaves(
    kind: str, data: dict[str, Any], account: Account
) -> TrustedContactRemove | MemberRemove:
    if kind == ActionType.MEMBER_REMOVE:
        member = parse(data, MemberRemoveDraft).member_id
        if since(account, member) is None:
            raise NotFoundError("this account has no such member")
        return MemberRemove(account=account.account_id, member_id=member)
    leaves = parse(data, TrustedContactRemoveDraft).contact_id
    if contact_of(account, leaves) is None:
        raise NotFoundError("this account has no such trusted contact")
    return TrustedContactRemove(account=account.account_id, contact_id=leaves)


def _change_contact(
    draft: ContactChangeDraft, account: Account, fresh: str
) -> tuple[ContactChange, str]:
    old = account.channel(draft.channel_id)
    if draft.channel_id and old is None:
        raise NotFoundError("this account has no such channel")
    if (draft.kind is None) is not (not draft.address) or not (draft.channel_id or draft.kind):
        raise MalformedError("a change names an old channel, or kind and address of a new one")
    payload = ContactChange(
        account=account.account_id,
        channel_id=draft.channel_id,
        old_kind="" if old is None else old.kind.value,
        old_address="" if old is None else old.address,
        new_kind="" if draft.kind is None else draft.kind.value,
        new_address="" if draft.kind is None else normal_address(draft.kind, draft.address),
    )
    return payload, f"chn_{fresh}" if draft.kind else ""


def _repudiate_channel(draft: ContactRepudiateDraft, account: Account) -> ContactRepudiate:
    if not isinstance(newcomer(account, draft.channel_id), Channel):
        raise NotFoundError("this account has no such channel")
    return ContactRepudiate(account=account.account_id, channel_id=draft.channel_id)


def reset(account: Account, verifier: str, *, fresh: str) -> Password:
    """Return the password that a reset sets: in the place of the old one, if there is one.

    Whether there was one makes no difference to who asks. Prevents: learning from a refusal which
    accounts have a password.
    """
    old = password(account)
    if old is not None:
        return replace(old, verifier=verifier)
    return Password(
        authenticator_id=AuthenticatorId(f"aut_{fresh}"),
        member_id=account.member_id,
        bound_at=account.opened_at,
        entry=0,
        verifier=verifier,
    )
