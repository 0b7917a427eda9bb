"""What the platform may see of an account: kinds, times and states; no secrets, no addresses."""

from datetime import UTC, date, datetime

import msgspec

from twinlock.domain.account import Account, ApiKey, Session
from twinlock.domain.actions import type_of
from twinlock.domain.api_keys import stopped
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    RecoveryCodes,
    device_bound,
    factor_of,
    used_day,
)
from twinlock.domain.bounds import SESSION_IDLE, SESSION_LIFETIME
from twinlock.domain.destinations import Listed
from twinlock.domain.disputes import instant, kind_of
from twinlock.domain.listing import Listing
from twinlock.domain.locks import Lock
from twinlock.domain.members import member_ids
from twinlock.domain.policy.facts import SessionState
from twinlock.domain.quorums import Member


class AuthenticatorView(msgspec.Struct, frozen=True, kw_only=True):
    """One bound authenticator. ``placement`` is where a passkey lives in the worst case.

    ``device_bound`` and ``backed_up`` are a passkey's flags: it cannot leave its device; or it may,
    and was copied. ``used_on`` is the day (UTC) of the last answer that was accepted, or null.
    ``codes_left`` is how many of a set of recovery codes are not used yet; null elsewhere.
    ``suspended_until`` lies in the past where a suspension is over; null: it was never reported.
    ``imported``: an older system bound it, and not we; ``rp_id`` is then that of a passkey's site.
    """

    authenticator_id: str
    factor: str
    name: str
    bound_at: datetime
    used_on: date | None
    placement: str
    device_bound: bool | None
    backed_up: bool | None
    codes_left: int | None
    suspended_until: datetime | None
    imported: bool
    rp_id: str


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """One session that lives: on which device, since when, and when it ends at the latest.

    ``read_only``: it may look, freeze and veto, and nothing else.
    """

    session_id: str
    device: str
    started_at: datetime
    seen_at: datetime
    ends_at: datetime
    read_only: bool


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """One device that has signed in fully, by its key's thumbprint; ``known`` until it lapses."""

    device: str
    since: datetime
    seen_at: datetime
    known: bool


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """One notice channel, without its address."""

    channel_id: str
    kind: str
    bound_at: datetime
    imported: bool


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """One hold on every exit."""

    because: str
    ends_at: datetime


class LegalHoldView(msgspec.Struct, frozen=True, kw_only=True):
    """One legal hold, by the file number of whoever needs the records."""

    reference: str
    placed_at: datetime


class OpenView(msgspec.Struct, frozen=True, kw_only=True):
    """One action on its way."""

    action_id: str
    type: str
    state: str
    proposed_at: datetime
    until: datetime | None


class ApiKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """One API key of the customer's.

    ``stopped``: what signed it was reported lost, stolen or swapped, so it proves nothing any more.
    """

    api_key_id: str
    public_key: str
    created_at: datetime
    stopped: bool
    scopes: tuple[str, ...]
    ip_list: tuple[str, ...]
    destinations: tuple[str, ...]
    daily_cents: int
    imported: bool
    pairs: tuple[str, ...]
    price_band_bp: int
    notional_daily_cents: int
    integrator: str


class LimitsView(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's own limits, in US cents a day (UTC); null: as much as the policy lets leave.

    Above ``agreement_cents`` a trusted contact agrees; null: to nothing.
    """

    day_cents: int | None
    destination_cents: int | None
    agreement_cents: int | None


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """One trusted contact: another person, who may agree above the owner's limit."""

    contact_id: str
    member_id: str
    name: str
    since: datetime


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """One member of an account of several: who, since when, with which authenticators."""

    member_id: str
    name: str
    since: datetime
    authenticator_ids: tuple[str, ...]


class QuorumView(msgspec.Struct, frozen=True, kw_only=True):
    """The sums a day (UTC), in US cents, above which two, or three, members agree; null: none."""

    two_cents: int | None
    three_cents: int | None


class LockView(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's lock: for how many days all that leaves or loosens waits; 0: there is none.

    Two independent roots spare the wait (``two_keys``), or are needed beside it (``both_keys``).
    """

    days: int
    two_keys: bool
    both_keys: bool


class ContestView(msgspec.Struct, frozen=True, kw_only=True):
    """A contest about an open action: who asked and who objected, by kinds of roots.

    At ``ends_at`` the action lapses, if nobody decides before.
    """

    action_id: str
    asked: tuple[str, ...]
    objected: tuple[str, ...]
    opened_at: datetime
    ends_at: datetime
    exits_held: bool


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account as the platform sees it.

    ``imported_from`` is the SHA-256 (base64url) of the file it was imported from, or "".
    """

    account_id: str
    imported_from: str
    member_ids: tuple[str, ...]
    members: tuple[MemberView, ...]
    quorum: QuorumView
    opened_at: datetime
    enrolling_until: datetime | None
    floor: str
    frozen_until: datetime | None
    suspended_until: datetime | None
    limits: LimitsView
    lock: LockView
    trusted_contacts: tuple[ContactView, ...]
    authenticators: tuple[AuthenticatorView, ...]
    channels: tuple[ChannelView, ...]
    sessions: tuple[SessionView, ...]
    devices: tuple[DeviceView, ...]
    holds: tuple[HoldView, ...]
    legal_holds: tuple[LegalHoldView, ...]
    actions: tuple[OpenView, ...]
    api_keys: tuple[ApiKeyView, ...]
    contest: ContestView | None


class DestinationKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """What proved a destination: bound by entry ``entry``; without an id it is bound no more."""

    entry: int
    authenticator_id: str
    kind: str
    name: str


class DestinationView(msgspec.Struct, frozen=True, kw_only=True):
    """One destination: what it is good for and until when; who added it, when, by which proofs.

    No action: imported, and proved by nobody. ``entry`` is the account's entry that listed it.
    """

    destination_id: str
    network: str
    address: str
    memo: str
    label: str
    state: str
    until: datetime | None
    added_at: datetime
    added_by: str
    entry: int | None
    proved_by: tuple[str, ...]
    keys: tuple[DestinationKeyView, ...]
    imported: bool
    usable_at: datetime | None
    used_at: datetime | None
    budget_cents: int
    removed: bool


def _limits(account: Account) -> LimitsView:
    limits = account.limits
    return LimitsView(
        day_cents=limits.day_cents,
        destination_cents=limits.destination_cents,
        agreement_cents=limits.agreement_cents,
    )


def _lock(lock: Lock) -> LockView:
    return LockView(days=lock.days, two_keys=lock.two_keys, both_keys=lock.both_keys)


def view_account(account: Account, *, now: datetime) -> AccountView:
    """Return what the platform may see of ``account`` at ``now``."""
    return AccountView(
        account_id=account.account_id,
        imported_from=account.imported,
        member_ids=member_ids(account),
        members=_members(account),
        quorum=QuorumView(
            two_cents=account.quorum.two_cents, three_cents=account.quorum.three_cents
        ),
        opened_at=account.opened_at,
        enrolling_until=account.enrolling_until,
        floor=Level(account.floor).name.lower(),
        frozen_until=account.freeze.until,
        suspended_until=account.suspension.until(now),
        limits=_limits(account),
        lock=_lock(account.lock),
        trusted_contacts=tuple(map(_view_contact, account.contacts)),
        authenticators=tuple(_view_authenticator(account, one) for one in account.authenticators),
        channels=tuple(
            ChannelView(
                channel_id=one.channel_id,
                kind=one.kind.value,
                bound_at=one.bound_at,
                imported=account.was_imported(one.entry),
            )
            for one in account.channels
        ),
        sessions=tuple(
            _view_session(one)
            for one in account.sessions
            if one.state(now) is not SessionState.NONE
        ),
        devices=tuple(
            DeviceView(
                device=one.thumbprint,
                since=one.since,
                seen_at=one.seen_at,
                known=account.knows(one.thumbprint, at=now),
            )
            for one in account.devices
        ),
        holds=tuple(HoldView(because=one.because, ends_at=one.ends_at) for one in account.holds),
        legal_holds=tuple(
            LegalHoldView(reference=one, placed_at=datetime.fromtimestamp(since, tz=UTC))
            for one, since in account.legal_holds.items()
        ),
        actions=tuple(
            OpenView(
                action_id=one.action_id,
                type=type_of(one.payload),
                state=one.state.value,
                proposed_at=one.proposed_at,
                until=one.until,
            )
            for one in account.actions
        ),
        api_keys=tuple(_view_api_key(account, one) for one in account.api_keys),
        contest=_view_contest(account),
    )


def _members(account: Account) -> tuple[MemberView, ...]:
    """Return the members, the first one first, whose name is not ours to know."""
    first = Member(member_id=account.member_id, name="", joined_at=account.opened_at)
    return tuple(
        MemberView(
            member_id=one.member_id,
            name=one.name,
            since=one.joined_at,
            authenticator_ids=tuple(
                bound.authenticator_id
                for bound in account.authenticators
                if bound.member_id == one.member_id
            ),
        )
        for one in (first, *account.members)
    )


def _view_contact(one: Passkey) -> ContactView:
    return ContactView(
        contact_id=one.authenticator_id,
        member_id=one.member_id,
        name=one.name,
        since=one.bound_at,
    )


def _view_contest(account: Account) -> ContestView | None:
    contest = account.disputes.contest
    if contest is None:
        return None
    return ContestView(
        action_id=contest.action_id,
        asked=tuple(sorted({kind_of(one) for one in contest.asked})),
        objected=tuple(sorted({kind_of(one) for one in contest.objected})),
        opened_at=instant(contest.opened_at),
        ends_at=instant(contest.ends_at),
        exits_held=contest.holds,
    )


def _view_api_key(account: Account, one: ApiKey) -> ApiKeyView:
    return ApiKeyView(
        api_key_id=one.api_key_id,
        public_key=one.public_key,
        created_at=one.created_at,
        stopped=stopped(account, one),
        scopes=one.scopes,
        ip_list=one.ip_list,
        destinations=one.destinations,
        daily_cents=one.daily_cents,
        imported=account.was_imported(one.entry),
        pairs=one.pairs,
        price_band_bp=one.price_band_bp,
        notional_daily_cents=one.notional_daily_cents,
        integrator=one.integrator,
    )


def _view_authenticator(account: Account, one: Authenticator) -> AuthenticatorView:
    passkey = one if isinstance(one, Passkey) else None
    return AuthenticatorView(
        authenticator_id=one.authenticator_id,
        factor=factor_of(one).value,
        name=one.name,
        bound_at=one.bound_at,
        used_on=used_day(one),
        placement=passkey.placement.value if passkey else "",
        device_bound=device_bound(passkey) if passkey else None,
        backed_up=passkey.backed_up if passkey else None,
        suspended_until=None if one.suspension is None else one.suspension.until,
        codes_left=len(one.left) if isinstance(one, RecoveryCodes) else None,
        imported=account.was_imported(one.entry),
        rp_id=passkey.rp_id if passkey else "",
    )


def _view_session(session: Session) -> SessionView:
    return SessionView(
        session_id=session.session_id,
        device=session.thumbprint,
        started_at=session.started_at,
        seen_at=session.seen_at,
        ends_at=min(session.started_at + SESSION_LIFETIME, session.seen_at + SESSION_IDLE),
        read_only=session.read_only,
    )


def view_destination(listed: Listed) -> DestinationView:
    """Return what the platform may see of a destination."""
    return DestinationView(
        destination_id=listed.destination_id,
        network=listed.network,
        address=listed.address,
        memo=listed.memo,
        label=listed.label,
        state=listed.state.value,
        until=listed.until,
        added_at=listed.added_at,
        added_by=listed.action_id or "",
        entry=listed.entry,
        proved_by=tuple(one.value for one in listed.proved_by),
        keys=tuple(
            DestinationKeyView(
                entry=one.entry,
                authenticator_id=one.authenticator_id,
                kind="" if one.factor is None else one.factor.value,
                name=one.name,
            )
            for one in listed.keys
        ),
        imported=listed.imported,
        usable_at=listed.usable_at,
        used_at=listed.used_at,
        budget_cents=listed.budget_cents,
        removed=listed.state is Listing.REMOVED,
    )
