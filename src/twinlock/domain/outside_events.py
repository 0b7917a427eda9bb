"""Facts that no action of the owner makes: warnings, officers' acts, what becomes of records."""

from datetime import datetime
from typing import TypeAlias

from twinlock.domain.deliveries import Outcome
from twinlock.domain.event_form import EventForm
from twinlock.domain.ids import ActionId, ChannelId
from twinlock.domain.signals import SignalKind
from twinlock.domain.suspensions import AccountSuspension

# --- What was seen of others ---


class CodesFlooded(EventForm, frozen=True, kw_only=True, tag="codes.flooded/1"):
    """More codes were asked for than are sent; the owner is told, once a day."""


class ChannelsFlooded(EventForm, frozen=True, kw_only=True, tag="channels.flooded/1"):
    """The platform said that other people's messages bury ours; it can only add.

    Each wait that runs is lengthened, once, where it was not yet.
    """


class SimChanged(EventForm, frozen=True, kw_only=True, tag="sim.changed/1"):
    """The platform said so; it can only add: codes by SMS count nothing for a week."""

    changed_at: datetime


class NoticeReported(EventForm, frozen=True, kw_only=True, tag="notice.reported/1"):
    """How far the word that a change waits came on one channel: handed on, confirmed, or failed."""

    action_id: ActionId
    channel_id: ChannelId
    outcome: Outcome


class SignalReceived(EventForm, frozen=True, kw_only=True, tag="signal.received/1"):
    """Another party said that something happened at theirs; it can only add.

    Without a ``stream`` it is our own: a key answered of which there may be a copy.
    ``muted`` are channels whose codes and silence count nothing until ``muted_until``. Policies are
    warned until ``warned_until``; ``told`` says that the owner hears of it.
    """

    stream: str
    kind: SignalKind
    muted: tuple[ChannelId, ...] = ()
    muted_until: datetime | None = None
    warned_until: datetime | None = None
    told: bool = False


# --- What becomes of its records ---


class LegalHoldSet(EventForm, frozen=True, kw_only=True, tag="legal_hold.set/1"):
    """Somebody needs the records: the account is not erased while this stands."""

    reference: str


class LegalHoldLifted(EventForm, frozen=True, kw_only=True, tag="legal_hold.lifted/1"):
    """Whoever needed the records needs them no more."""

    reference: str


class DataExported(EventForm, frozen=True, kw_only=True, tag="data.exported/1"):
    """Everything that is held about the person was handed out; the entry's actor says to whom."""


class AccountErased(EventForm, frozen=True, kw_only=True, tag="account.erased/1"):
    """The last fact of an account: with it all others are destroyed."""


# --- What officers say of it ---


class AccountSuspended(EventForm, frozen=True, kw_only=True, tag="account.suspended/1"):
    """An officer stopped every exit of the account, until it ends or two others release it."""

    suspension: AccountSuspension
    because: str


class ReleaseAgreed(EventForm, frozen=True, kw_only=True, tag="account.release_agreed/1"):
    """An officer agreed that the suspension ends; it takes a second one."""

    officer: str


class AccountReleased(EventForm, frozen=True, kw_only=True, tag="account.released/1"):
    """The second officer agreed: the suspension is over."""

    officer: str


OfficersEvent: TypeAlias = AccountSuspended | ReleaseAgreed | AccountReleased
RecordsEvent: TypeAlias = LegalHoldSet | LegalHoldLifted | DataExported | AccountErased
WarningEvent: TypeAlias = (
    CodesFlooded | ChannelsFlooded | SimChanged | NoticeReported | SignalReceived
)
