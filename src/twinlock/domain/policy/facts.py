"""Facts: all that a decision may look at, flat but for an API key, typed, in range, with a source.

*Facts carry a source* (law 1): what relaxes comes from our own record or the customer's
signature; the platform's word stands inside ``value_cents`` and ``risk``, where it can only add,
and in the address from which an API key is said to be used, which only the platform sees, and which
lifts nothing that no key signed. The value is stored with every decision, holds no personal data,
and is what a backtest replays.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.bounds import MAX_VALUE_CENTS, RISK_MOST
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.errors import invariant
from twinlock.domain.locks import OPEN, Lock
from twinlock.domain.quorums import ANYONE, Quorum
from twinlock.domain.screening import Screened


class DestinationState(StrEnum):
    """What we know of where the value would go."""

    NONE = "none"  # this action has no destination
    NEW = "new"  # never proved by this customer
    UNPROVED = "unproved"  # imported from an older system: listed, never signed
    WAITING = "waiting"  # proved, its wait runs
    USABLE = "usable"
    LAPSED = "lapsed"  # proved once, unused since: needs proof again
    REMOVED = "removed"


class SessionState(StrEnum):
    """What session stands behind a proposal."""

    NONE = "none"
    UNSIGNED = "unsigned"  # named, but not signed by its device key: a copied cookie
    READ_ONLY = "read_only"
    FULL = "full"


class ApiKeyState(StrEnum):
    """What the API key that signed a payload is good for."""

    WAITING = "waiting"  # its creation is proved, and waits
    LIVE = "live"
    STOPPED = "stopped"  # what signed its powers was reported lost or stolen
    LAPSED = "lapsed"  # bound to no address for too long, or not used


class Within(StrEnum):
    """Whether a key is used within its own list: of networks, or of destinations."""

    ANY = "any"  # it has no such list
    INSIDE = "inside"
    OUTSIDE = "outside"


class ApiKeyUse(msgspec.Struct, frozen=True, kw_only=True):
    """The API key that signed this payload, and how this use lies within what was signed for it.

    ``usable_from`` is the end of the wait of a key that is not there yet; ``level`` that of the
    proofs that made it; ``left_cents`` what its daily sum leaves today.
    """

    state: ApiKeyState
    usable_from: datetime | None = None
    level: Level = Level.NONE
    scopes: tuple[str, ...] = ()
    ip: Within = Within.OUTSIDE
    destination: Within = Within.OUTSIDE
    daily_cents: int = 0
    left_cents: int = 0

    def __post_init__(self) -> None:
        sums = (self.daily_cents, self.left_cents)
        invariant(all(0 <= cents <= MAX_VALUE_CENTS for cents in sums), "a key's sums are in range")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One decision's facts. Instants are UTC; sums are US cents in 0 … MAX_VALUE_CENTS."""

    now: datetime
    # The action
    action: str
    action_class: ActionClass | None
    built: bool
    opened_at: datetime  # the account
    proposed_at: datetime
    proved_at: datetime | None  # when proofs that still stand reached the floor for this payload
    promised_until: datetime | None = None  # the end of a wait that was told before
    offered_until: datetime | None = None  # the same, of a wait that a second root may spare
    # Proofs bound to this payload (our verification)
    floor: Level = Level.NONE
    floor_imported: bool = False  # it rests on passkeys of an older site alone
    shown_level: Level = Level.NONE
    shown_factors: tuple[Factor, ...] = ()
    shown_roots: tuple[str, ...] = ()
    roots_enrolled: int = 0
    roots_bound: int = 0  # as a lock of both keys counts them: what was reported lost of late, too
    one_root_from: datetime | None = (
        None  # where fewer than two are left: then such a lock asks one
    )
    shown_oldest_at: datetime | None = (
        None  # when the oldest shown, as strong as the target, was bound
    )
    shown_device_bound: bool = False  # among them a passkey that cannot leave its device (BE=0)
    session: SessionState = SessionState.NONE
    api_key: ApiKeyUse | None = None  # the one that signed this payload
    # The platform (its officers' record)
    platform_halted: bool = False
    # The account (our record)
    enrolling: bool = False
    frozen_until: datetime | None = None  # datetime.max for a freeze without an end
    frozen_at: datetime | None = None
    held_until: datetime | None = None
    suspended_until: datetime | None = None  # an officer stopped it until then
    narrow: bool = True  # no notice channel outside the roots that prove
    has_channel: bool = False
    way_in_left: bool = True  # after a removal somebody can still sign in
    too_many: bool = False
    bound_already: bool = False  # what would be bound, or its key
    target_gone: bool = False  # what the payload names is not there, or not as it is named
    channel_left: bool = True  # after a removal somebody can still be told
    channel_confirmed: bool = True  # a code that was sent to the new channel came back
    rootless_until: datetime | None = None  # until then nothing that is bound has a root
    older_enrolled: bool = True  # of a report: something enrolled may speak for it
    signalled: bool = False  # a signal of another party warns of this account
    day_cents: int = 0  # all exits of this day before this one
    # The destination (our record)
    destination: DestinationState = DestinationState.NONE
    destinations_required: bool = False
    wanted_elsewhere: int = 0  # at how many other accounts it was wanted of late, bounded
    screened: Screened = Screened.NONE  # what the list of sanctions says of it
    unspoken: bool = False  # an exit of the platform's own, of which no statute speaks
    look_alike: bool = False  # it resembles a known address, and is not that
    budget_left_cents: int = 0
    destination_day_cents: int = 0  # to it today before this one; unlisted, to all that is so
    # The payload (signed), valued by the higher of price list and platform
    value_cents: int = 0
    new_device: bool = False
    # The platform's word on sign-ins, which can only add
    risk: int = 0  # 0 … 100: of this sign-in, or of the session behind this action
    unusual_until: datetime | None = None  # until then the score of a sign-in holds every exit
    budget_cents: int = 0
    target_level: Level = Level.NONE
    target_bound_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    ip_list: int = 0
    key_destinations: int = 0
    key_daily_cents: int = 0
    last_exit_at: datetime | None = None  # the last spend of the account
    exit_open_until: datetime | None = None  # when the last exit on its way lapses
    legal_hold: bool = False
    # What the owner set (our record), and what would be set (signed)
    own_day_cents: int | None = None  # the owner's limit of a day; None: none
    own_destination_cents: int | None = None
    announced_cents: int = 0  # the highest sum of a day that a raise announced in silence
    lock: Lock = OPEN
    tightens: bool = True  # of limits, locks and contacts: the payload weakens nothing
    asked_lock_days: int = 0
    asked_both_keys: bool = False  # two roots would be needed beside the wait
    agreement_cents: int | None = None  # above it a day a contact agrees; None: there is none
    agreed: bool = False  # a trusted contact signed this payload
    loosens_agreement: bool = False  # less is agreed to then, or one more person may agree
    quorum: Quorum = ANYONE  # above which sums several members agree
    members: int = 1  # of the account
    members_behind: int = 0  # different ones who proved this, or agreed to it
    asked_members: int = 0  # how many would agree to the most, where a quorum would be set
    members_fit: bool = True  # no more would have to agree than there are then, and one is left
    weak_freeze_at: datetime | None = None  # the last stop of its kind below the floor, same root
    unheard_until: datetime | None = None  # the end of a wait that is longer, as no word arrived
    contested_until: datetime | None = None  # a contest about this change stands
    exits_contested_until: datetime | None = None  # a contest holds every exit
    contest_open: bool = False  # it is about this very action, and something enrolled may decide it
    approvals: int = 0  # drawn members of staff who agreed to this payload; none can yet

    def __post_init__(self) -> None:
        sums = (
            self.day_cents,
            self.destination_day_cents,
            self.budget_left_cents,
            self.value_cents,
            self.budget_cents,
            self.key_daily_cents,
        )
        invariant(all(0 <= cents <= MAX_VALUE_CENTS for cents in sums), "sums are in range")
        invariant(0 <= self.risk <= RISK_MOST, "a score is in range")
