"""The aggregate: one account as Twinlock knows it, made of the features' slices.

The document is sealed and changes only by ``replay.apply``. The number of its entries so far labels
the next one, so an old document put back makes a label that exists, and is refused (law 9).
"""

from datetime import datetime
from enum import StrEnum
from functools import cached_property

import msgspec

from twinlock.domain.actions import AnyPayload, ApiKeyCreate, SessionStart, type_of
from twinlock.domain.assurance import Factor, Level, floor_of
from twinlock.domain.authenticators.model import Authenticator, Passkey, factor_of
from twinlock.domain.bounds import (
    DEVICE_KNOWN_FOR,
    SESSION_IDLE,
    SESSION_LIFETIME,
    SIM_CHANGE_PERIOD,
)
from twinlock.domain.channels import Channel
from twinlock.domain.deliveries import Delivery
from twinlock.domain.discreet import Discreet
from twinlock.domain.disputes import NO_DISPUTES, Disputes
from twinlock.domain.errors import TwinlockError
from twinlock.domain.floods import Rings
from twinlock.domain.freezes import Freeze
from twinlock.domain.holds import Hold
from twinlock.domain.ids import (
    AccountId,
    ActionId,
    ApiKeyId,
    ChallengeId,
    ChannelId,
    DestinationId,
    MemberId,
    SessionId,
)
from twinlock.domain.limits import Limits, SentTo, Spent
from twinlock.domain.listed import Destination
from twinlock.domain.listing import NO_FORMER, Former
from twinlock.domain.locks import OPEN, Eased, Lock
from twinlock.domain.notice_words import NoticeWord
from twinlock.domain.policy.facts import SessionState, Within
from twinlock.domain.quorums import ANYONE, Member, Quorum
from twinlock.domain.risk.visits import History, Visit
from twinlock.domain.signals import SPARED, Signals
from twinlock.domain.spans import Spans
from twinlock.domain.suspensions import NO_SUSPENSION, AccountSuspension
from twinlock.domain.throttle import Throttle


class ActionUnknownError(TwinlockError):
    """This account has no open action of that id."""

    code = "action_not_found"
    status = 404


class ActionClosedError(TwinlockError):
    """The action is over: spent, done, refused, vetoed or lapsed."""

    code = "action_closed"
    status = 409


class Chain(Discreet, frozen=True, kw_only=True):
    """The account's place in the log: its label key, the number of its entries, its last leaf.

    ``label_key`` (32 random bytes) and ``last_leaf`` (its hash, "" before any) are base64url.
    """

    HIDDEN = frozenset({"label_key"})

    label_key: str
    entries: int = 0
    last_leaf: str = ""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device key that signed in fully; ``thumbprint`` is RFC 7638, base64url.

    Being known spares a sign-in the hold of a new device, and its wrong answers count apart. It
    opens nothing, and lapses DEVICE_KNOWN_FOR after the last sign-in.
    """

    thumbprint: str
    since: datetime
    seen_at: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session bound to a device key; without the key's signature its id is worth nothing.

    ``bound_at`` is the age of what began it: of its strongest proofs, when the oldest was bound.
    ``entry`` is the one that began it, ``by`` those that bound what proved it.
    """

    session_id: SessionId
    member_id: MemberId
    thumbprint: str
    started_at: datetime
    seen_at: datetime
    bound_at: datetime
    read_only: bool = False
    entry: int = 0
    by: tuple[int, ...] = ()
    behind: Spans = ()  # the newcomers behind those
    risk: int = 0  # the score of the sign-in, 0 … 100

    def state(self, now: datetime) -> SessionState:
        """Return what this session is good for at ``now``."""
        idle = now - self.seen_at > SESSION_IDLE
        if idle or not self.started_at <= now < self.started_at + SESSION_LIFETIME:
            return SessionState.NONE
        return SessionState.READ_ONLY if self.read_only else SessionState.FULL


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An API key of the customer's, with exactly the powers that were signed.

    ``spent`` is a day, counted from 1970, and what it let leave on it, in US cents; ``used_on`` the
    last such day on which it is known to have traded; ``entry`` the one that made it, by the proofs
    ``proved_by``. ``stopped``: one of them was reported since. ``pairs`` and what follows them is
    as in ``ApiKeyCreate``.
    """

    api_key_id: ApiKeyId
    public_key: str
    scopes: tuple[str, ...]
    ip_list: tuple[str, ...]
    destinations: tuple[str, ...]
    daily_cents: int
    created_at: datetime
    by: tuple[int, ...] = ()  # the entries that bound what proved it
    behind: Spans = ()  # the newcomers behind those
    entry: int = 0
    proved_by: tuple[Factor, ...] = ()
    sms_at: datetime | None = None  # when the code by SMS among them was shown
    spent: tuple[int, int] = (0, 0)
    stopped: bool = False
    pairs: tuple[str, ...] = ()
    price_band_bp: int = 0
    notional_daily_cents: int = 0
    integrator: str = ""
    used_on: int = 0
    declared_at: int = 0  # in POSIX seconds: when its band came to exempt orders, if not at first
    lapse_told: int = 0  # the same: of which end its owner was told


class Candidate(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """Something offered for binding: a registration challenge, or a seed to be confirmed."""

    HIDDEN = frozenset({"secret"})

    candidate_id: ChallengeId
    factor: Factor
    secret: str  # 32-byte challenge or 20-byte seed, base64url
    expires_at: datetime
    name: str = ""  # whom a trusted contact's invitation is for


class Challenge(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """One question to the customer about one action; answered at most once.

    ``nonce`` (32 bytes) goes into the signed intent. A code's MAC and key are kept, never the code.
    """

    HIDDEN = frozenset({"code_mac"})

    challenge_id: ChallengeId
    factor: Factor
    expires_at: datetime
    nonce: str
    channel_id: ChannelId | None = None
    code_mac: str = ""


class Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A proof that was accepted for an action; the proof itself stands in entry ``entry``.

    ``bound_entry`` is the entry that bound it, or that began a session: it is evidence also after
    its removal or end. ``ip`` says of an API key whether it was used from where it may be.
    """

    source: str  # the id of the authenticator, channel or session
    factor: Factor
    root: str | None
    bound_at: datetime
    at: datetime
    entry: int
    digest: str = ""
    bound_entry: int = 0
    ip: Within | None = None


class ActionState(StrEnum):
    """Where an action stands while it is open; closed ones are streams of their own."""

    OPEN = "open"  # something is still missing
    AUTHORIZED = "authorized"  # an exit, decided yes, not yet spent


class OpenAction(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """A proposal on its way through the gate."""

    HIDDEN = frozenset({"veto_key", "secret", "seal"})

    action_id: ActionId
    member_id: MemberId
    payload: AnyPayload
    digest: str
    proposed_at: datetime
    lapses_at: datetime
    veto_key: str  # 32 bytes, base64url: each channel's veto link is a MAC under it
    state: ActionState = ActionState.OPEN
    claimed_cents: int = 0
    value_cents: int = 0
    proved_at: datetime | None = None  # or since when somebody has been told that it waits
    until: datetime | None = None  # the end of its longest wait so far: copied, never shortened
    offered_until: datetime | None = None  # as ``until``, of a wait that a second root may spare
    session_id: SessionId | None = None
    unsigned: bool = False
    device_signed: bool = False  # a sign-in that the device's own key signed
    visit: Visit | None = None  # what the platform told of a sign-in
    risk: int = 0  # its score, 0 … 100
    shown: tuple[Shown, ...] = ()
    challenges: tuple[Challenge, ...] = ()
    secret: str = ""  # what takes effect with it: a hash, a seed, a key's record
    authorized_at: datetime | None = None
    destination_id: DestinationId | None = None  # whose sum of the day it counts in
    place: str = ""  # and the place's, which is the same for every memo
    charge: tuple[ApiKeyId, int, int] | None = None  # a key, a day as in its ``spent``, US cents
    entry: int = 0  # the entry of the decision that brought it where it stands
    told: dict[ChannelId, Delivery] = msgspec.field(default_factory=dict)  # that a change waits
    lengthened: bool = False  # its wait, since the word of it did not arrive
    seal: str = ""  # of a binding: whether what it binds is for duress (``duress``)
    wanted_elsewhere: int = 0  # at how many other accounts when it was proved, at the most

    def counted_on(self, at: datetime) -> int:
        """Return how many cents of the sum of ``at``'s day (UTC) are this action's own."""
        same_day = self.authorized_at is not None and self.authorized_at.date() == at.date()
        return self.value_cents if same_day else 0

    def counted_for(self, destination: DestinationId | None, at: datetime) -> int:
        """Return the same of the sum of ``destination``, or of all unlisted, where it counts."""
        return self.counted_on(at) if destination == self.destination_id else 0


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One account. Instants are UTC."""

    account_id: AccountId
    member_id: MemberId
    opened_at: datetime
    chain: Chain
    enrolling_until: datetime | None = None
    imported: str = ""  # the digest (base64url) of the file that all of entry 0 came from
    destinations_required: bool = False
    authenticators: tuple[Authenticator, ...] = ()
    channels: tuple[Channel, ...] = ()
    devices: tuple[Device, ...] = ()
    sessions: tuple[Session, ...] = ()
    holds: tuple[Hold, ...] = ()
    freeze: Freeze = Freeze()
    throttle: Throttle = Throttle()
    known_throttle: Throttle = Throttle()  # of wrong answers from devices that signed in before
    candidates: tuple[Candidate, ...] = ()
    codes_sent: tuple[int, ...] = ()  # in POSIX seconds, rounded up: shorter than a date
    flood_told_at: int = 0  # in POSIX seconds: when the owner was last told of a flood of codes
    key_told_at: int = 0  # the same, of an API key that was used beyond its powers
    attempt_told_at: int = 0  # the same, of what was refused before anything was shown for it
    rings: Rings = Rings()  # how much its owner was told of late
    undercut_at: int = 0  # the same: when less than the floor last undid something
    fell_at: int = 0  # the same: the last repudiation under a lock of both keys
    shed_at: int = 0  # the same: when a passkey that is built into some device was last removed
    picked_at: int = 0  # the same: when it was last picked, and nothing left it for a while
    sim_changed_at: datetime | None = None  # the last change of a SIM that the platform reported
    signals: Signals = Signals()  # what other parties said happened at theirs
    actions: tuple[OpenAction, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()
    destinations: dict[DestinationId, int] = {}  # listed: the version of each one's own stream
    looks: str = ""  # what others may resemble: see ``likeness``, of all that is listed
    former: Former = NO_FORMER  # and what was
    paid: dict[str, int] = {}  # the same of what was paid unlisted, with the entries of the spends
    spent: Spent = Spent()
    unlisted: Spent = Spent()  # what of it went to places that are not listed, as to one of them
    sent_to: SentTo = SentTo()  # what of it went to each place, listed or not
    last_exit_at: int = 0  # the last spend, in POSIX seconds, rounded up
    legal_holds: dict[str, int] = {}  # since when, in POSIX seconds, by their references
    erased_at: datetime | None = None
    doubts: Spans = ()  # the entries of repudiated bindings
    limits: Limits = Limits()
    lock: Lock = OPEN
    notice_word: NoticeWord | None = None
    contacts: tuple[Passkey, ...] = ()  # of other people, who may only agree (``people``)
    members: tuple[Member, ...] = ()  # beside the first; their keys stand with its own
    quorum: Quorum = ANYONE
    eased: Eased | None = None  # the last loosening of the lock
    history: History = History()  # what its own sign-ins looked like
    suspension: AccountSuspension = NO_SUSPENSION  # the last one that an officer set
    disputes: Disputes = NO_DISPUTES  # vetoes that are remembered, and the contest that stands

    @cached_property  # In the dict beside the fields.
    def floor(self) -> Level:
        """What this account must show on every path (law 3)."""
        bound = [factor_of(one) for one in self.authenticators]
        codes = any(channel.takes_codes for channel in self.channels)
        return floor_of(bound, has_channel=codes, several=bool(self.members))

    def was_imported(self, entry: int) -> bool:
        """Say whether what ``entry`` bound came from a file of an older system."""
        return bool(self.imported) and entry == 0

    def enrolling(self, now: datetime) -> bool:
        """Say whether the account is still being set up."""
        return self.enrolling_until is not None and now < self.enrolling_until

    def action(self, action_id: str) -> OpenAction:
        """Return the open action ``action_id``. Raises ActionUnknownError: none, or closed."""
        for action in self.actions:
            if action.action_id == action_id:
                return action
        raise ActionUnknownError("no open action of this id")

    def authenticator(self, named: str) -> Authenticator | None:
        """Return the authenticator with the id ``named`` while it is bound, or None."""
        return next((one for one in self.authenticators if one.authenticator_id == named), None)

    def from_known_device(self, action: OpenAction) -> bool:
        """Say whether ``action`` comes from a device that has signed in fully before.

        A sign-in does when that device's key signed it: evidence hands out the public one.
        Prevents: whoever has the password and the mailbox, and in a session that only looks uses up
        the guesses of the owner's devices.
        """
        if isinstance(action.payload, SessionStart):
            return action.device_signed and self.knows(action.payload.device, at=action.proposed_at)
        named = (one.source for one in action.shown if one.factor is Factor.SESSION)
        return any(one is not None and not one.read_only for one in map(self.session, named))

    def knows(self, thumbprint: str, *, at: datetime) -> bool:
        """Say whether the device with this key has signed in fully, and not too long before."""
        own = (one for one in self.devices if one.thumbprint == thumbprint)
        return any(one.seen_at > at - DEVICE_KNOWN_FOR for one in own)

    def throttle_of(self, action: OpenAction) -> Throttle:
        """Return the counter of wrong answers that ``action`` is held to."""
        return self.known_throttle if self.from_known_device(action) else self.throttle

    def stands(self, shown: Shown) -> bool:
        """Say whether what made this proof is still bound as it was then.

        A removed, replaced or suspended factor stops what was already approved (law 6).
        """
        if shown.factor is Factor.SESSION:
            return self.session(shown.source) is not None
        if shown.factor is Factor.SMS_CODE and not self.sms_counts(shown.at):
            return False
        if shown.factor in (Factor.EMAIL_CODE, Factor.SMS_CODE):
            return self.channel(shown.source) is not None
        if shown.factor is Factor.CHANNEL_CODE:
            return True  # It speaks of the change that it was asked for, and of nothing bound.
        if shown.factor is Factor.API_KEY:
            to_come = {action.secret for action in self.keys_to_come}
            return shown.source in to_come | {key.api_key_id for key in self.api_keys}
        people = (*self.authenticators, *self.contacts)
        bound = next((one for one in people if one.authenticator_id == shown.source), None)
        if bound is None or bound.bound_at != shown.bound_at:
            return False
        # Prevents: what a thief proved with a stolen phone, good again when its suspension lapses.
        return bound.suspension is None or shown.at > bound.suspension.at

    @property
    def keys_to_come(self) -> tuple[OpenAction, ...]:
        """Return the creations of API keys that are proved and wait."""
        every = (one for one in self.actions if isinstance(one.payload, ApiKeyCreate))
        return tuple(one for one in every if one.until is not None)

    def channel(self, channel_id: str) -> Channel | None:
        """Return the channel ``channel_id`` while it is bound, or None."""
        return next((one for one in self.channels if one.channel_id == channel_id), None)

    def sms_counts(self, at: datetime) -> bool:
        """Say whether a code by SMS that was shown at ``at`` counts: after a change of the SIM.

        What was shown before the change falls with it: the thief may have had the number already.
        """
        return self.sim_changed_at is None or at >= self.sim_changed_at + SIM_CHANGE_PERIOD

    def muted(self, action: OpenAction, shown: Shown) -> bool:
        """Say whether ``shown`` is a code that counts nothing for ``action``, by a signal.

        Signing in and freezing stay possible: no signal locks anybody out.
        """
        if shown.factor not in (Factor.EMAIL_CODE, Factor.SMS_CODE):
            return False
        return type_of(action.payload) not in SPARED and self.signals.mutes(shown.source, shown.at)

    def session(self, session_id: str) -> Session | None:
        """Return the session ``session_id`` while it is kept, or None."""
        return next((one for one in self.sessions if one.session_id == session_id), None)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that one decision may read and change: an account, and the destination it names.

    ``destination_id`` names the destination's stream that the command holds, listed or not.
    ``listed`` are others: new ones that were settled meanwhile, and what is forgotten for them.
    ``wanted_elsewhere`` is at how many other accounts the command's destination was wanted of late;
    an action remembers it from its proof.
    ``halted_at`` is since when all is halted, or None; ``platform`` what the log's head says.
    """

    account: Account
    destination_id: DestinationId | None = None
    destination: Destination | None = None
    listed: tuple[Destination, ...] = ()
    wanted_elsewhere: int = 0
    halted_at: datetime | None = None
    platform: bytes = b""
