"""Opening accounts and looking at them; offering what can be bound; ending sessions."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from twinlock.domain.account import Account, Candidate, Chain, State
from twinlock.domain.actions import Place
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import (
    CHALLENGE_LIFETIME,
    CHANNELS_MOST,
    ENROLMENT_WINDOW,
    INVITATION_LIFETIME,
    RECOVERY_CODES,
)
from twinlock.domain.canonical import b64url, encode, from_b64url, tagged_hash
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import (
    EndSession,
    ImportDestination,
    OfAccount,
    Offer,
    OpenAccount,
    ReportFlood,
    ReportSimChange,
)
from twinlock.domain.contacts import ADDRESS_BYTES_MOST, ChannelAddressError, normal_address
from twinlock.domain.decisions import Decided, Rules
from twinlock.domain.destinations import Listed, listing
from twinlock.domain.discreet import Discreet
from twinlock.domain.drafts import Where
from twinlock.domain.errors import MalformedError, NotRepeatableError, TwinlockError, present
from twinlock.domain.forgetting import versions_of
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    AccountId,
    ChallengeId,
    ChannelId,
    MemberId,
    account_id,
    tail,
)
from twinlock.domain.listed import Destination
from twinlock.domain.members import check_name
from twinlock.domain.newcomers import as_proved
from twinlock.domain.people import INVITED, contact_handle
from twinlock.ports import (
    Clock,
    Entropy,
    Idempotency,
    Policies,
    Store,
    Work,
)
from twinlock.ports.keys import (
    BlindIndex,
)
from twinlock.ports.ruled import by_rules
from twinlock.proofs import recovery_codes, totp
from twinlock.proofs.addresses.normal import normal_where

IMPORTED_MOST = 50  # Destinations of an older system, in one opening.


class FactorNotOfferedError(TwinlockError):
    """Only passkeys, apps, recovery codes and a contact's place are offered before that."""

    code = "factor_not_offered"
    status = 422


class NewChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the customer gets notices."""

    kind: ChannelKind
    address: Annotated[str, Meta(min_length=3, max_length=ADDRESS_BYTES_MOST)]


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the platform says of a new customer.

    ``destinations`` are those of an older system: listed, and proved by nobody.
    """

    channels: Annotated[tuple[NewChannel, ...], Meta(max_length=CHANNELS_MOST)] = ()
    destinations_required: bool = False
    destinations: Annotated[tuple[Where, ...], Meta(max_length=IMPORTED_MOST)] = ()


class Opened(Discreet, frozen=True, kw_only=True):
    """A new account; it can be set up for ``enrolling_seconds`` or until somebody signs in.

    ``label_key`` (32 bytes, base64url) is the customer's: with it all entries of the account are
    found in the public log. It is told here only; hand it over and do not keep it.
    """

    HIDDEN = frozenset({"label_key"})

    account_id: str
    label_key: str
    enrolling_seconds: int


class Offered(Discreet, frozen=True, kw_only=True):
    """What may be bound next: a registration challenge, a seed as an otpauth URI, a set of codes.

    ``codes`` are told here only, and not a second time: the customer keeps them.
    """

    HIDDEN = frozenset({"uri", "codes"})

    candidate_id: str
    factor: Factor
    expires_in_seconds: int
    challenge: str = ""
    user_id: str = ""
    uri: str = ""
    codes: tuple[str, ...] = ()


class Accounts:
    """The use cases of accounts as such."""

    def __init__(
        self, store: Store, *, entropy: Entropy, clock: Clock, policies: Policies, blind: BlindIndex
    ) -> None:
        self._store = store
        self._entropy = entropy
        self._clock = clock
        self._policies = policies
        self._blind = blind

    async def open(self, opening: NewAccount, *, actor: str, idempotency: Idempotency) -> Opened:
        """Open an account; repeated under its key it is the same one.

        Raises:
            ChannelAddressError: of a channel, or of two that have the same one.
            NetworkUnknownError, AddressError: of a destination.
            IdempotencyConflictError: the key opened another account.
        """
        places = {(one.kind, normal_address(one.kind, one.address)) for one in opening.channels}
        if len(places) < len(opening.channels):
            raise ChannelAddressError("two channels have one address")
        policy = self._policies.rules().policy
        named = account_id(self._entropy.draw(16))
        listed = tuple(
            normal_where(one.network, one.address, one.memo, policy) for one in opening.destinations
        )
        account = self._new_account(named, opening)
        committed = await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=named,
                    decide=lambda state, now: decide(
                        state, OpenAccount(account=account), rules=rules, now=now
                    ),
                    actor=actor,
                    policy=rules.policy.name,
                    idempotency=idempotency,
                    action_id=named,
                    opens=account,
                )
            ),
        )
        if committed.repeated:
            named = AccountId(committed.repeated)
            account = await self._store.account(named)
        for where in listed:
            await self._import(named, where, actor=actor)
        return Opened(
            account_id=named,
            label_key=account.chain.label_key,
            enrolling_seconds=int(ENROLMENT_WINDOW.total_seconds()),
        )

    def _new_account(self, named: AccountId, opening: NewAccount) -> Account:
        now = self._clock.now(database_at=None)
        return Account(
            account_id=named,
            member_id=MemberId(f"mem_{tail(self._entropy.draw(16))}"),
            opened_at=now,
            enrolling_until=now + ENROLMENT_WINDOW,
            chain=Chain(label_key=b64url(self._entropy.draw(32))),
            destinations_required=opening.destinations_required,
            channels=tuple(
                Channel(
                    channel_id=ChannelId(f"chn_{tail(self._entropy.draw(16))}"),
                    kind=one.kind,
                    address=normal_address(one.kind, one.address),
                    bound_at=now,
                )
                for one in opening.channels
            ),
        )

    async def _import(self, named: AccountId, where: Where, *, actor: str) -> None:
        names = self._blind.names(
            Place(account=named, network=where.network, address=where.address, memo=where.memo)
        )
        destination_id = names[0]
        new = Destination(
            destination_id=destination_id,
            account_id=named,
            version=1,
            network=where.network,
            address=where.address,
            memo=where.memo,
            added_at=self._clock.now(database_at=None),
            imported=True,
        )

        def run(state: State, now: datetime, rules: Rules) -> Decided:
            known = present(state.destination_id, "the destination's stream is at hand")
            command = ImportDestination(destination=replace(new, destination_id=known))
            return decide(state, command, rules=rules, now=now)

        await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=named,
                    destination_id=destination_id,
                    also=names[1:],
                    decide=lambda state, now: run(state, now, rules),
                    actor=actor,
                    policy=rules.policy.name,
                    idempotency=Idempotency(
                        key=f"import:{destination_id}",
                        digest=tagged_hash("import/v1", encode(where)),
                    ),
                    action_id=destination_id,
                )
            ),
        )

    async def look(self, named: AccountId) -> tuple[Account, datetime]:
        """Return the account as it stands, and when (UTC). Raises AccountUnknownError."""
        return await self._store.account(named), self._clock.now(database_at=None)

    async def destinations(self, named: AccountId) -> tuple[Destination, ...]:
        """Return the account's destinations: who added each, when, by which proof."""
        account = await self._store.account(named)
        found = [await self._store.destination(named, one) for one in sorted(versions_of(account))]
        return tuple(as_proved(account, one) for one in found if one is not None)

    async def listing(self, named: AccountId) -> tuple[Listed, ...]:
        """Return the account's destinations as they stand, those that are proposed or wait too."""
        account, now = await self.look(named)
        found = [await self._store.destination(named, one) for one in sorted(versions_of(account))]
        known = tuple(one for one in found if one is not None)
        lapse = self._policies.rules().policy.statutes.lapse
        return listing(account, known, lapse=lapse, now=now)

    async def offer(
        self,
        named: AccountId,
        factor: Factor,
        *,
        actor: str,
        idempotency: Idempotency,
        name: str = "",
    ) -> Offered:
        """Give out what a new authenticator is made from; repeated under its key the same again.

        Of recovery codes only hashes are kept, so a repeat cannot tell them: ask under a new key.
        A trusted contact's place, or a member's, is an invitation for a week, for whom ``name``
        says.

        Raises:
            MalformedError: an invitation is for nobody, another offer is for somebody, or a member
                has the name of who would be invited.
            AccountUnknownError, FactorNotOfferedError, IdempotencyConflictError: as they say.
            NotRepeatableError: what the key offered is bound, too old, replaced, or told once.
        """
        invites = factor in INVITED
        if invites is not bool(name) or name.isspace():
            raise MalformedError("an invitation, and nothing else, names whom it is for")
        now = self._clock.now(database_at=None)
        if factor is Factor.MEMBER:
            check_name(await self._store.account(named), name, now=now)
        secret, codes = self._drawn(factor)
        candidate = Candidate(
            candidate_id=ChallengeId(f"cnd_{tail(self._entropy.draw(16))}"),
            factor=factor,
            secret=secret,
            expires_at=now + (INVITATION_LIFETIME if invites else CHALLENGE_LIFETIME),
            name=name,
        )
        repeated = await self._run(
            named,
            Offer(candidate=candidate),
            actor=actor,
            idempotency=idempotency,
            stands_for=candidate.candidate_id,
        )
        if not repeated:
            return _offered(candidate, named, codes, now=now)
        if codes:
            raise NotRepeatableError("recovery codes are told once: ask under a new key")
        candidate = await self._offered_before(named, repeated, now=now)
        return _offered(candidate, named, now=now)

    def _drawn(self, factor: Factor) -> tuple[str, tuple[str, ...]]:
        """Return what is kept of a new candidate, and the codes that are told of it.

        Raises:
            FactorNotOfferedError: nothing is offered of this factor.
        """
        match factor:
            case Factor.PASSKEY | Factor.TRUSTED_CONTACT | Factor.MEMBER:
                return b64url(self._entropy.draw(32)), ()
            case Factor.TOTP:
                return b64url(self._entropy.draw(totp.SEED_BYTES)), ()
            case Factor.RECOVERY_CODE:
                size = recovery_codes.CODE_BYTES * RECOVERY_CODES
                codes = recovery_codes.new_set(self._entropy.draw(size))
                return recovery_codes.pack(codes), codes
            case _:
                raise FactorNotOfferedError("only what can be made from an offer is offered")

    async def _offered_before(
        self, named: AccountId, candidate_id: str, *, now: datetime
    ) -> Candidate:
        account = await self._store.account(named)
        for candidate in account.candidates:
            if candidate.candidate_id == candidate_id and candidate.expires_at > now:
                return candidate
        raise NotRepeatableError("what was offered is bound, too old or replaced")

    async def end_session(
        self,
        named: AccountId,
        ending: EndSession,
        *,
        actor: str,
        idempotency: Idempotency,
    ) -> None:
        """End sessions of an account; repeated under its key nothing more ends.

        It opens nothing, so it needs no proof. Raises IdempotencyConflictError.
        """
        await self._run(
            named,
            ending,
            actor=actor,
            idempotency=idempotency,
            stands_for=named,
        )

    async def report_sim_change(
        self,
        named: AccountId,
        changed_at: datetime | None,
        *,
        actor: str,
        idempotency: Idempotency,
    ) -> None:
        """Take the platform's word that the SIM of the account's number changed: it can only add.

        Without a time it was just now; an earlier report is never taken back.

        Raises:
            MalformedError: it would lie in the future, or before all time.
            IdempotencyConflictError: the key reported another one.
        """
        now = self._clock.now(database_at=None)
        if changed_at is not None and changed_at > now:
            raise MalformedError("a SIM has changed in the past")
        try:
            at = (changed_at or now).astimezone(UTC)
        except OverflowError as error:  # In the first hours of year 1, and east of Greenwich.
            raise MalformedError("a time lies before year 1 in UTC") from error
        await self._run(
            named,
            ReportSimChange(changed_at=at),
            actor=actor,
            idempotency=idempotency,
            stands_for=named,
        )

    async def report_flood(self, named: AccountId, *, actor: str, idempotency: Idempotency) -> None:
        """Take the platform's word that other people's messages bury ours: it can only add.

        Raises IdempotencyConflictError.
        """
        await self._run(
            named,
            ReportFlood(),
            actor=actor,
            idempotency=idempotency,
            stands_for=named,
        )

    async def _run(
        self,
        named: AccountId,
        command: OfAccount,
        *,
        actor: str,
        idempotency: Idempotency,
        stands_for: str,
    ) -> str:
        """Return what the key stood for before, or ""."""
        committed = await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=named,
                    decide=lambda state, now: decide(state, command, rules=rules, now=now),
                    actor=actor,
                    policy=rules.policy.name,
                    idempotency=idempotency,
                    action_id=stands_for,
                )
            ),
        )
        return committed.repeated


def _offered(
    candidate: Candidate, named: AccountId, codes: tuple[str, ...] = (), *, now: datetime
) -> Offered:
    lifetime = int((candidate.expires_at - now).total_seconds())
    if codes:
        return Offered(
            candidate_id=candidate.candidate_id,
            factor=candidate.factor,
            expires_in_seconds=lifetime,
            codes=codes,
        )
    if candidate.factor in (Factor.PASSKEY, *INVITED):
        own = b64url(tagged_hash("user-handle/v1", named.encode()))
        invites = candidate.factor in INVITED
        return Offered(
            candidate_id=candidate.candidate_id,
            factor=candidate.factor,
            expires_in_seconds=lifetime,
            challenge=candidate.secret,
            user_id=contact_handle(candidate.candidate_id) if invites else own,
        )
    return Offered(
        candidate_id=candidate.candidate_id,
        factor=candidate.factor,
        expires_in_seconds=lifetime,
        uri=totp.provisioning_uri(from_b64url(candidate.secret), issuer="Twinlock", account=named),
    )
