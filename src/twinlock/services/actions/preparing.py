"""From a draft to a payload: what is signed, what takes effect, and which stream it names.

A draft is what the platform sent. A payload is what it stands for on this account, and it is whole:
what it leaves out of the draft cannot take effect (law 2).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from twinlock.domain import drafts
from twinlock.domain.actions import (
    BUILT,
    AccountErase,
    AnyPayload,
    ApiKeyRevoke,
    FreezeLift,
    FreezeSet,
    NotBuilt,
    Place,
    SessionStart,
    place_of,
)
from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.catalogue import ActionType
from twinlock.domain.changes import CHANGES, NotFoundError, change
from twinlock.domain.decisions import Rules
from twinlock.domain.drafts import Where, parse
from twinlock.domain.errors import present
from twinlock.domain.exit_drafts import exit_of
from twinlock.domain.exits import EXITS
from twinlock.domain.ids import AccountId, DestinationId, tail
from twinlock.domain.key_changes import changed, read_change
from twinlock.domain.naming import name_of
from twinlock.domain.own_drafts import OWN, own
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.leaving import state_of
from twinlock.domain.registered_exits import RegisteredExit, registered_exit
from twinlock.ports import Clock, Entropy, Store
from twinlock.ports.keys import BlindIndex
from twinlock.proofs.addresses.normal import normal_where
from twinlock.proofs.api_keys import read_public_key
from twinlock.proofs.device_keys import read_jwk
from twinlock.services.actions.binding import Binding
from twinlock.services.actions.prepared import Prepared


class Preparing:
    """Drafts made ready, by what the account has right now."""

    def __init__(
        self,
        store: Store,
        binding: Binding,
        *,
        entropy: Entropy,
        clock: Clock,
        blind: BlindIndex,
        registered: Mapping[str, RegisteredExit],
    ) -> None:
        self._store = store
        self._binding = binding
        self._entropy = entropy
        self._clock = clock
        self._blind = blind
        self._registered = registered

    async def prepare(
        self, kind: str, draft: dict[str, Any], named: AccountId, rules: Rules, *, member: str = ""
    ) -> Prepared:
        """Return the payload that a draft of an action of ``kind`` stands for on this account.

        ``member`` is whose authenticators it binds or changes; "": the first one's.

        Raises:
            MalformedError, AmountError, AddressError, UnknownAssetError, NotFoundError,
                ProofRefusedError, PasswordRefusedError: as ``Actions.propose`` does.
        """
        if kind in self._registered:
            form, normal = self._registered[kind], _normal(rules)
            own_way = registered_exit(form, draft, named, policy=rules.policy, normal=normal)
            return Prepared(payload=own_way, names=self._streams(own_way))
        if kind not in BUILT or kind == ActionType.PLATFORM_EXIT:
            digest = b64url(tagged_hash("draft/v1", encode(draft)))
            return Prepared(payload=NotBuilt(account=named, asked=kind, digest=digest))
        if kind in EXITS:
            leaves = exit_of(kind, draft, named, policy=rules.policy, normal=_normal(rules))
            return Prepared(payload=leaves, names=self._streams(leaves))
        if kind in OWN:
            return Prepared(payload=own(kind, draft, await self._store.account(named)))
        if kind in CHANGES:
            account = await self._store.account(named)
            fresh = tail(self._entropy.draw(16))
            payload, secret = change(kind, draft, account, fresh=fresh)
            return Prepared(payload=payload, secret=secret)
        if kind in _ALONE:
            parse(draft, drafts.EmptyDraft)
            return Prepared(payload=_ALONE[kind](account=named))
        if kind in _BINDS:
            made = _BINDS[kind](self._binding, draft, named, member)
        elif kind in (ActionType.API_KEY_WIDEN, ActionType.API_KEY_NARROW):
            made = self._change_api_key(kind, draft, named)
        else:
            made = _PREPARE[ActionType(kind)](self, draft, named, rules)
        return await made

    async def _session_start(self, data: dict[str, Any], named: AccountId, _: Rules) -> Prepared:
        device = read_jwk(parse(data, drafts.SessionStartDraft).device)
        return Prepared(payload=SessionStart(account=named, device=device.thumbprint()))

    async def _add_destination(
        self, data: dict[str, Any], named: AccountId, rules: Rules
    ) -> Prepared:
        draft = parse(data, drafts.DestinationAddDraft)
        where = normal_where(draft.network, draft.address, draft.memo, rules.policy)
        payload = drafts.destination_add(draft, where, named)
        names = self._streams(payload)
        return Prepared(payload=payload, secret=names[0], names=names)

    async def _remove_destination(
        self, data: dict[str, Any], named: AccountId, rules: Rules
    ) -> Prepared:
        draft = parse(data, drafts.DestinationRemoveDraft)
        where = normal_where(draft.network, draft.address, draft.memo, rules.policy)
        payload = drafts.destination_remove(where, named)
        names = self._streams(payload)
        return Prepared(payload=payload, secret=names[0], names=names)

    async def _create_api_key(
        self, data: dict[str, Any], named: AccountId, rules: Rules
    ) -> Prepared:
        draft = parse(data, drafts.ApiKeyCreateDraft)
        read_public_key(draft.public_key)
        wheres = (
            normal_where(one.network, one.address, one.memo, rules.policy)
            for one in draft.destinations
        )
        places = (
            Place(account=named, network=one.network, address=one.address, memo=one.memo)
            for one in wheres
        )
        named_ids = [await self._usable(named, place, rules) for place in places]
        payload = drafts.api_key_create(
            draft,
            named,
            networks=tuple(sorted({drafts.normal_network(one) for one in draft.ip_list})),
            destinations=tuple(sorted(set(named_ids))),
        )
        return Prepared(payload=payload, secret=f"key_{tail(self._entropy.draw(16))}")

    async def _usable(self, named: AccountId, place: Place, rules: Rules) -> DestinationId:
        """Return the name of a destination that a key may name: proved, waited for, used of late.

        Prevents: a key for an address that somebody proposed, imported or removed.
        """
        now, lapse = self._clock.now(database_at=None), rules.policy.statutes.lapse
        account = await self._store.account(named)
        where = name_of(account, self._blind.names(place))
        listed = where in account.destinations
        found = await self._store.destination(named, where) if listed else None
        state = None if found is None else state_of(account, found, lapse=lapse, now=now)
        # A listing that has waited is settled together with this proposal.
        due = (one.secret for one in account.actions if one.until is not None and one.until <= now)
        if state is not DestinationState.USABLE and where not in due:
            raise NotFoundError("an API key names destinations that are usable")
        return where

    async def _revoke_api_key(self, data: dict[str, Any], named: AccountId, _: Rules) -> Prepared:
        draft = parse(data, drafts.ApiKeyRevokeDraft)
        account = await self._store.account(named)
        if all(key.api_key_id != draft.api_key_id for key in account.api_keys):
            raise NotFoundError("this account has no such API key")
        return Prepared(payload=ApiKeyRevoke(account=named, api_key_id=draft.api_key_id))

    async def _change_api_key(self, kind: str, data: dict[str, Any], named: AccountId) -> Prepared:
        draft, account = read_change(data), await self._store.account(named)
        for key in account.api_keys:
            if key.api_key_id == draft.api_key_id:
                return Prepared(payload=changed(kind, draft, key, account))
        raise NotFoundError("this account has no such API key")

    def _streams(self, payload: AnyPayload) -> tuple[DestinationId, ...]:
        return self._blind.names(present(place_of(payload), "this payload names a destination"))

    # --- From drafts to payloads ---


def _normal(rules: Rules) -> Callable[[str, str, str], Where]:
    return lambda network, address, memo: normal_where(network, address, memo, rules.policy)


_ALONE: dict[str, type[FreezeSet | FreezeLift | AccountErase]] = {  # They name the account only.
    ActionType.FREEZE_SET: FreezeSet,
    ActionType.FREEZE_LIFT: FreezeLift,
    ActionType.ACCOUNT_ERASE: AccountErase,
}
_Bind: TypeAlias = Callable[[Binding, dict[str, Any], AccountId, str], Awaitable[Prepared]]
_BINDS: dict[str, _Bind] = {
    ActionType.AUTHENTICATOR_BIND: Binding.bind,
    ActionType.PASSWORD_CHANGE: Binding.change_password,
    ActionType.PASSWORD_RESET: Binding.reset_password,
    ActionType.NOTICE_WORD_SET: Binding.set_word,
    ActionType.TRUSTED_CONTACT_ADD: Binding.add_contact,
    ActionType.MEMBER_ADD: Binding.add_member,
}
_Prepare: TypeAlias = Callable[[Preparing, dict[str, Any], AccountId, Rules], Awaitable[Prepared]]
_PREPARE: dict[ActionType, _Prepare] = {
    ActionType.SESSION_START: Preparing._session_start,  # noqa: SLF001 - one table of this class
    ActionType.DESTINATION_ADD: Preparing._add_destination,  # noqa: SLF001 - of this table's class
    ActionType.DESTINATION_REMOVE: Preparing._remove_destination,  # noqa: SLF001 - of this table's class
    ActionType.API_KEY_CREATE: Preparing._create_api_key,  # noqa: SLF001 - of this table's class
    ActionType.API_KEY_REVOKE: Preparing._revoke_api_key,  # noqa: SLF001 - of this table's class
}
