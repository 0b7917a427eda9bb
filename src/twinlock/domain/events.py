"""Every fact that changes an account, and the only way it changes one: ``apply``.

Facts are past tense and versioned by their tag. Replaying an account's events from the first gives
the state that the gate decided on; the audit leans on that.
"""

from datetime import datetime
from typing import TypeAlias

from twinlock.domain.account import (
    Account,
    ApiKey,
    Candidate,
    Challenge,
    OpenAction,
    Session,
    Shown,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, Passkey, Password
from twinlock.domain.channels import Channel
from twinlock.domain.discreet import Discreet
from twinlock.domain.disputes import Contest
from twinlock.domain.event_form import EventForm
from twinlock.domain.holds import Hold
from twinlock.domain.ids import (
    ActionId,
    ApiKeyId,
    AuthenticatorId,
    ChallengeId,
    ChannelId,
    DestinationId,
    MemberId,
    SessionId,
)
from twinlock.domain.limits import Limits
from twinlock.domain.listed import Destination
from twinlock.domain.locks import Eased, Lock
from twinlock.domain.notice_words import NoticeWord
from twinlock.domain.outside_events import OfficersEvent, RecordsEvent, WarningEvent
from twinlock.domain.quorums import Member, Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.risk.visits import Visit

# --- An action on its way ---


class ActionProposed(EventForm, frozen=True, kw_only=True, tag="action.proposed/1"):
    """Somebody wants something done; ``candidate_id`` is what was offered and is used up by it."""

    action: OpenAction
    candidate_id: ChallengeId | None = None


class ActionHeld(EventForm, frozen=True, kw_only=True, tag="action.held/1"):
    """Its proof is complete; it takes effect at ``until`` at the earliest. Notices go out.

    ``choice`` says that a second root, shown meanwhile, would do instead of this wait.
    ``lengthened``: it waited before, and the word of that did not arrive; this happens once.
    """

    action_id: ActionId
    until: datetime
    lapses_at: datetime
    choice: bool = False
    lengthened: bool = False


class ContestOpened(EventForm, frozen=True, kw_only=True, tag="contest.opened/1"):
    """A second veto from the same root: the action stands still until somebody else decides.

    Nobody does: it lapses when the contest ends.
    """

    action_id: ActionId
    contest: Contest


class ContestDecided(EventForm, frozen=True, kw_only=True, tag="contest.decided/1"):
    """A root that neither side had used proved the action: it goes on, until ``lapses_at``.

    Who objected is not heard for a while. The other verdict is a veto.
    """

    action_id: ActionId
    root: str
    lapses_at: datetime


class ChallengeIssued(EventForm, frozen=True, kw_only=True, tag="challenge.issued/1"):
    """The customer was asked."""

    action_id: ActionId
    challenge: Challenge


class ProofAccepted(EventForm, Discreet, frozen=True, kw_only=True, tag="proof.accepted/1"):
    """An answer was right and bound to this action; ``proved`` says that it reached the floor.

    ``used_code`` is the hash of a recovery code that is used up by it. ``seal`` says whether it was
    forced, and whether it names what it binds as for duress (``duress``). ``wanted_elsewhere`` is
    at how many other accounts the destination was wanted then.
    """

    HIDDEN = frozenset({"used_code", "seal"})

    action_id: ActionId
    shown: Shown
    challenge_id: ChallengeId | None = None
    proved: bool = False
    totp_step: int = 0
    sign_count: int = 0
    backed_up: bool = False
    used_code: str = ""
    seal: str = ""
    wanted_elsewhere: int = 0


class ProofRefused(EventForm, frozen=True, kw_only=True, tag="proof.refused/1"):
    """An answer was wrong. What can be guessed counts against the throttle."""

    action_id: ActionId
    factor: Factor
    fault: ProofFault


class ActionAuthorized(EventForm, frozen=True, kw_only=True, tag="action.authorized/1"):
    """An exit was decided yes; it is decided again when it is spent.

    ``api_key_id`` is the key without which it would not have been: it counts in that one's sum.
    ``place`` is where it leads, as the account's sums of the day name that; empty in old ones.
    """

    action_id: ActionId
    value_cents: int
    destination_id: DestinationId | None = None
    api_key_id: ApiKeyId | None = None
    place: str = ""


class _Closing(EventForm, frozen=True, kw_only=True):
    """The action leaves the account's document for a stream of its own."""

    action_id: ActionId


class ActionSpent(_Closing, frozen=True, kw_only=True, tag="action.spent/1"):
    """The exit was handed to the signer, exactly once.

    ``value_cents`` is what it was worth then; ``destination_id`` is where it led, if that was
    listed by then, and ``api_key_id`` and ``place`` as in ``action.authorized``.
    """

    spend_id: str
    fee_minor: str
    value_cents: int
    destination_id: DestinationId | None = None
    api_key_id: ApiKeyId | None = None
    place: str = ""


class ActionDone(_Closing, frozen=True, kw_only=True, tag="action.done/1"):
    """It took effect."""


class ActionRefused(_Closing, frozen=True, kw_only=True, tag="action.refused/1"):
    """Nothing lifts what stands against it."""

    reasons: tuple[Reason, ...]


class ActionVetoed(_Closing, frozen=True, kw_only=True, tag="action.vetoed/1"):
    """Somebody entitled said no.

    ``by`` is a channel or a session of the account, or an action or the type of a report that takes
    back what this one would have given. ``change`` is what was vetoed, from ``roots``, where that
    is remembered.
    """

    by: str
    root: str | None
    change: str = ""
    roots: tuple[str, ...] = ()


class ActionLapsed(_Closing, frozen=True, kw_only=True, tag="action.lapsed/1"):
    """Nobody finished it in time, or before newer ones took its place."""


ActionEvent: TypeAlias = (
    ActionProposed
    | ActionHeld
    | ContestOpened
    | ContestDecided
    | ChallengeIssued
    | ProofAccepted
    | ProofRefused
    | ActionAuthorized
)
ClosingEvent: TypeAlias = ActionSpent | ActionDone | ActionRefused | ActionVetoed | ActionLapsed


# --- What a customer is known by ---


class AccountOpened(EventForm, frozen=True, kw_only=True, tag="account.opened/1"):
    """The platform has a new customer."""

    account: Account


class CandidateOffered(EventForm, frozen=True, kw_only=True, tag="candidate.offered/1"):
    """A registration challenge or a fresh seed was given out."""

    candidate: Candidate


class AuthenticatorBound(EventForm, frozen=True, kw_only=True, tag="authenticator.bound/1"):
    """From now on this authenticator counts, and sets the floor."""

    authenticator: Authenticator


class AuthenticatorRemoved(EventForm, frozen=True, kw_only=True, tag="authenticator.removed/1"):
    """The removal has waited; the floor follows what is left."""

    authenticator_id: AuthenticatorId


class AuthenticatorSuspended(EventForm, frozen=True, kw_only=True, tag="authenticator.suspended/1"):
    """It was reported lost, stolen or foreign: until ``until`` it answers nothing.

    ``for_good`` says that it does not end by itself; ``weak_root`` is set when that was said with
    less than the floor.
    """

    authenticator_id: AuthenticatorId
    until: datetime
    for_good: bool = False
    weak_root: str = ""


class AuthenticatorReactivated(
    EventForm, frozen=True, kw_only=True, tag="authenticator.reactivated/1"
):
    """It was found again, the owner said so at the floor, and that has waited."""

    authenticator_id: AuthenticatorId


class PasswordRehashed(EventForm, frozen=True, kw_only=True, tag="password.rehashed/1"):
    """A password that an older system hashed was right, and is kept as our own hash from now on."""

    authenticator: Password


class ChannelBound(EventForm, frozen=True, kw_only=True, tag="channel.bound/1"):
    """From now on notices go there too. What ``channel`` replaced is no channel any more."""

    channel: Channel


class ChannelRemoved(EventForm, frozen=True, kw_only=True, tag="channel.removed/1"):
    """Nothing goes there any more."""

    channel_id: ChannelId


class NewcomerRepudiated(EventForm, frozen=True, kw_only=True, tag="newcomer.repudiated/1"):
    """Something older said "this was not me".

    ``entries`` bound what is undone; no device that came after ``since`` is known any more. What
    said so may have shown less than the floor: ``below_floor``.
    """

    entries: tuple[int, ...]
    since: datetime
    below_floor: bool = False


class SessionStarted(EventForm, frozen=True, kw_only=True, tag="session.started/1"):
    """A device signed in. A full session ends a read-only one of the same device.

    ``visit`` is what the account remembers of it from now on.
    """

    session: Session
    visit: Visit | None = None


class SessionEnded(EventForm, frozen=True, kw_only=True, tag="session.ended/1"):
    """A session is over; a dead one stays dead."""

    session_id: SessionId


class SessionUsed(EventForm, frozen=True, kw_only=True, tag="session.used/1"):
    """Orders passed in this session, whose device signed that it trades; told now and then."""

    session_id: SessionId


IdentityEvent: TypeAlias = (
    AccountOpened
    | CandidateOffered
    | AuthenticatorBound
    | AuthenticatorRemoved
    | SessionStarted
    | SessionEnded
    | SessionUsed
)
StandingEvent: TypeAlias = (
    AuthenticatorSuspended
    | AuthenticatorReactivated
    | PasswordRehashed
    | ChannelBound
    | ChannelRemoved
    | NewcomerRepudiated
)


# --- What protects it ---


class HoldPlaced(EventForm, frozen=True, kw_only=True, tag="hold.placed/1"):
    """For a while nothing leaves."""

    hold: Hold


class FreezeSet(EventForm, frozen=True, kw_only=True, tag="freeze.set/1"):
    """The owner stopped everything. ``weak_root`` is set when it was below the floor.

    ``bound_at`` is how old counts what set it.
    """

    until: datetime
    weak_root: str = ""
    bound_at: datetime | None = None


class FreezeLifted(EventForm, frozen=True, kw_only=True, tag="freeze.lifted/1"):
    """The owner goes on."""


class LimitsSet(EventForm, frozen=True, kw_only=True, tag="limits.set/1"):
    """The owner's own limits are these from now on."""

    limits: Limits


class LockSet(EventForm, frozen=True, kw_only=True, tag="lock.set/1"):
    """The owner's own lock is this from now on; of no days: there is none.

    ``eased`` is the last loosening of it, which may be undone.
    """

    lock: Lock
    eased: Eased | None = None


class NoticeWordChanged(EventForm, frozen=True, kw_only=True, tag="notice_word.changed/1"):
    """From now on messages hold this word, or none."""

    word: NoticeWord | None


class ContactJoined(EventForm, frozen=True, kw_only=True, tag="contact.joined/1"):
    """Another person, with a passkey of their own, may agree from now on."""

    contact: Passkey


class ContactLeft(EventForm, frozen=True, kw_only=True, tag="contact.left/1"):
    """A trusted contact agrees to nothing any more."""

    contact_id: AuthenticatorId


class MemberJoined(EventForm, frozen=True, kw_only=True, tag="member.joined/1"):
    """Another person is a member from now on, with a passkey of their own."""

    member: Member
    passkey: Passkey


class MemberLeft(EventForm, frozen=True, kw_only=True, tag="member.left/1"):
    """Somebody is no member any more: their authenticators and sessions are gone."""

    member_id: MemberId


class QuorumSet(EventForm, frozen=True, kw_only=True, tag="quorum.set/1"):
    """So many members agree from now on, above these sums."""

    quorum: Quorum


class DestinationAdded(EventForm, frozen=True, kw_only=True, tag="destination.added/1"):
    """A destination is listed: proved, waited for and not vetoed; or imported and unproved."""

    destination: Destination


class DestinationRemoved(EventForm, frozen=True, kw_only=True, tag="destination.removed/1"):
    """A destination is off the list."""

    destination_id: DestinationId


class ApiKeyCreated(EventForm, frozen=True, kw_only=True, tag="api_key.created/1"):
    """An API key exists."""

    api_key: ApiKey


class ApiKeyChanged(EventForm, frozen=True, kw_only=True, tag="api_key.changed/1"):
    """An API key is this from now on: it was narrowed or widened."""

    api_key: ApiKey


class ApiKeyRevoked(EventForm, frozen=True, kw_only=True, tag="api_key.revoked/1"):
    """An API key is dead."""

    api_key_id: ApiKeyId


class IntegratorRevoked(EventForm, frozen=True, kw_only=True, tag="integrator.revoked/1"):
    """Every API key that was made for this integrator is dead; the operator said so."""

    integrator: str


class ApiKeyUsed(EventForm, frozen=True, kw_only=True, tag="api_key.used/1"):
    """Orders passed that named this key; told once for each of its days of trading."""

    api_key_id: ApiKeyId


class ApiKeyLapses(EventForm, frozen=True, kw_only=True, tag="api_key.lapses/1"):
    """The owner is told that this key lapses at ``until`` unless it is used, or bound, before."""

    api_key_id: ApiKeyId
    until: datetime


ProtectionEvent: TypeAlias = (
    HoldPlaced
    | FreezeSet
    | FreezeLifted
    | LimitsSet
    | LockSet
    | NoticeWordChanged
    | ContactJoined
    | ContactLeft
    | MemberJoined
    | MemberLeft
    | QuorumSet
    | DestinationAdded
    | DestinationRemoved
    | ApiKeyCreated
    | ApiKeyChanged
    | ApiKeyRevoked
    | ApiKeyUsed
    | ApiKeyLapses
    | IntegratorRevoked
)
Event: TypeAlias = (
    ActionEvent
    | ClosingEvent
    | IdentityEvent
    | StandingEvent
    | ProtectionEvent
    | WarningEvent
    | OfficersEvent
    | RecordsEvent
)
