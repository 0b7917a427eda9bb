"""The ten laws, as far as they speak of single decisions: above any policy.

No setting, profile or flag weakens one; a policy only adds. A law is a function of the facts to
what is still missing. ``decide()`` takes the laws as an argument, and ``serve`` can pass only
``LAWS``. What the laws say of time, storage, staff and evidence is kept by the store, the signer
and the state machine; ``docs/architecture.md`` says which law lives where.

Source: docs/laws.md.
"""

from collections.abc import Callable
from datetime import MAXYEAR, datetime, timedelta
from typing import TypeAlias, assert_never

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.both_keys import two_keys_are_there
from twinlock.domain.bounds import (
    BUDGET_CENTS_MOST,
    ENROLMENT_WINDOW,
    NEWCOMER_PERIOD,
    UNSPOKEN_HELD,
    WEAK_FREEZE_EVERY,
    WEAK_SITTING,
)
from twinlock.domain.catalogue import (
    ALARMS,
    REPORTS,
    REPUDIATIONS,
    SCOPES,
    WITHDRAW_SCOPE,
    ActionClass,
    ActionType,
)
from twinlock.domain.key_laws import (
    a_withdraw_key_is_bounded,
    an_api_key_reaches_so_far,
    by_api_key,
    own_proof,
    within_budget,
)
from twinlock.domain.member_laws import MEMBER_LAWS, another_member, takes_others
from twinlock.domain.newcomers import is_newcomer, is_older
from twinlock.domain.own_laws import (
    a_contact_agrees,
    a_contact_is_the_owners,
    a_contact_stays_a_while,
    a_lock_delays,
    a_weak_lock_is_short,
    own_limits_hold,
    what_tightens_is_tighter,
)
from twinlock.domain.policy.facts import (
    DestinationState,
    Facts,
    SessionState,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
)
from twinlock.domain.screening import Screened
from twinlock.domain.successor_laws import an_imported_passkey_opens_no_door

Law: TypeAlias = Callable[[Facts], Requirement]

LEAST_WAIT = timedelta(hours=24)  # A night and a day: long enough to read a notice and object.
LISTED = (DestinationState.USABLE, DestinationState.LAPSED)  # Once proved: they stand for a root.


def unknown_is_no(facts: Facts) -> Requirement:
    """Law 1: what the catalogue does not name, or cannot decide yet, is refused."""
    if facts.action_class is None or not SCOPES.issuperset(facts.scopes):
        return Never(code=Reason.ACTION_UNKNOWN)
    return NOTHING if facts.built else Never(code=Reason.ACTION_NOT_BUILT)


def a_proof_counts_once(facts: Facts) -> Requirement:
    """Law 2: a session named without its device key's signature over this payload is refused.

    Other proofs that are not bound to this payload never become facts at all.
    Prevents: the copied cookie (S07, S10).
    """
    if facts.session is SessionState.UNSIGNED:
        return Never(code=Reason.PROOF_NOT_BOUND)
    return NOTHING


def the_floor_never_sinks(facts: Facts) -> Requirement:
    """Law 3: the best authenticator bound is what every path asks for.

    Only freezing, reporting, setting an account up, a destination's own small budget, and
    tightening in a session of a device's ask for less.
    """
    if facts.action in ALARMS:
        return _a_little_proof(facts)
    if facts.action_class is ActionClass.TIGHTENING and facts.session is SessionState.FULL:
        return NOTHING
    if setting_up(facts):
        return NOTHING
    if own_proof(facts):
        return NOTHING
    if within_budget(facts) or by_api_key(facts):
        return NOTHING
    if facts.floor is Level.NONE:
        return Never(code=Reason.NOTHING_BOUND)
    return Prove(code=Reason.PROOF_NEEDED, level=facts.floor)


def setting_up(facts: Facts) -> bool:
    """Say whether this binds an authenticator while the account is being set up.

    Nothing else is easier then. Prevents: a destination listed in the first hour without a wait.
    """
    return facts.enrolling and facts.action == ActionType.AUTHENTICATOR_BIND


def _a_little_proof(facts: Facts) -> Requirement:
    """Ask for anything of people's: ``a_no_is_no_weapon`` bounds what is done with it.

    Of tightening only the freeze is bounded so. Prevents: one factor that takes destinations off
    the list and strikes each new listing before its day is over, for ever (law 5).
    """
    if set(facts.shown_factors) - {Factor.API_KEY}:
        return NOTHING
    return Prove(code=Reason.PROOF_NEEDED, level=Level.KNOWLEDGE)


def a_budget_is_small(facts: Facts) -> Requirement:
    """Law 4: no policy lets a destination have more than so much a day without a proof."""
    if facts.action != ActionType.DESTINATION_ADD or facts.budget_cents <= BUDGET_CENTS_MOST:
        return NOTHING
    return Never(code=Reason.BUDGET_TOO_HIGH)


def newcomers_undo_nothing(facts: Facts) -> Requirement:
    """Law 3: for 30 days a newcomer cannot undo an older one, nor a weaker a stronger.

    What was bound in one sitting is of one age: only setting up takes so little time.
    """
    if facts.target_bound_at is None or facts.action in REPORTS:
        return NOTHING
    return all_of(
        _as_strong_as_the_target(facts), _as_old_as_the_target(facts, facts.target_bound_at)
    )


def _as_strong_as_the_target(facts: Facts) -> Requirement:
    if facts.shown_level >= facts.target_level:
        return NOTHING
    return Prove(code=Reason.WEAKER_PROOF, level=facts.target_level)


def _as_old_as_the_target(facts: Facts, target_bound_at: datetime) -> Requirement:
    shown_at = facts.shown_oldest_at
    if shown_at is None or shown_at <= target_bound_at + ENROLMENT_WINDOW:
        return NOTHING
    ripe_at = shown_at + NEWCOMER_PERIOD
    return NOTHING if facts.now >= ripe_at else Never(code=Reason.NEWCOMER, until=ripe_at)


def a_password_is_no_root(facts: Facts) -> Requirement:
    """Law 4: where nothing but a password is bound, nothing leaves and no way out is opened.

    It could be shown with silence at best, and that is one root. Nor is what a password alone bound
    a root, for as long as it is a newcomer. Prevents: a leaked password that binds a key first.
    """
    opens = facts.action == ActionType.DESTINATION_ADD or WITHDRAW_SCOPE in facts.scopes
    if facts.action_class is not ActionClass.EXIT and not opens:
        return NOTHING
    if within_budget(facts):
        return NOTHING
    rootless = own_proof(facts) and not facts.shown_roots
    if facts.floor <= Level.KNOWLEDGE or facts.rootless_until is not None or rootless:
        return Never(code=Reason.ROOT_MISSING, until=facts.rootless_until)
    return NOTHING


def two_roots(facts: Facts) -> Requirement:
    """Law 4: an exit needs two independent roots; silence and a proved destination are roots.

    A destination bound by a floor-level proof and a full, silent wait stands for one. Everything
    else waits, so that silence is the second; two proofs of different roots need no silence.
    """
    if facts.action_class is not ActionClass.EXIT or facts.destination in LISTED:
        return NOTHING
    if len(facts.shown_roots) > 1:
        return NOTHING
    silence = _wait(facts, LEAST_WAIT, Reason.DESTINATION_NEW)
    if facts.roots_enrolled < 2:  # noqa: PLR2004 - two roots is the law's name
        return silence
    return any_of(Prove(code=Reason.SECOND_ROOT_NEEDED, level=facts.floor, roots=2), silence)


def loosening_waits(facts: Facts) -> Requirement:
    """Law 5: whatever weakens protection waits at least a day after its proof."""
    if facts.action_class is not ActionClass.LOOSENING or setting_up(facts):
        return NOTHING
    return _wait(facts, LEAST_WAIT, Reason.LOOSENING_WAITS)


def _wait(facts: Facts, length: timedelta, code: Reason) -> Requirement:
    until = (facts.proved_at or facts.now) + length
    return NOTHING if facts.now >= until else WaitUntil(code=code, until=until)


def a_told_wait_stays(facts: Facts) -> Requirement:
    """Law 5: a wait that was told can be lengthened, never shortened, by a later policy either."""
    missing: Requirement = NOTHING
    if facts.promised_until is not None and facts.promised_until > facts.now:
        missing = WaitUntil(code=Reason.WAIT_TOLD, until=facts.promised_until)
    if facts.offered_until is None or facts.offered_until <= facts.now:
        return missing
    if len(facts.shown_roots) > 1:
        return missing
    second = Prove(code=Reason.SECOND_ROOT_NEEDED, level=facts.floor, roots=2)
    told = WaitUntil(code=Reason.WAIT_TOLD, until=facts.offered_until)
    return all_of(missing, any_of(second, told))


def an_unheard_wait_is_longer(facts: Facts) -> Requirement:
    """Law 5: where no word of a wait arrived it is lengthened, once, and told again."""
    return _until(facts, facts.unheard_until, Reason.NOTICE_UNCONFIRMED)


def a_hold_covers_every_exit(facts: Facts) -> Requirement:
    """Law 6: holds cover every exit, one that was added yesterday included."""
    if facts.action_class is not ActionClass.EXIT:
        return NOTHING
    if facts.enrolling:
        return Never(code=Reason.ENROLMENT_OPEN)
    if facts.held_until is None or facts.held_until <= facts.now:
        return NOTHING
    held = WaitUntil(code=Reason.EXITS_HELD, until=facts.held_until)
    if facts.unusual_until is None or facts.unusual_until <= facts.now:
        return held
    return all_of(held, WaitUntil(code=Reason.SIGN_IN_UNUSUAL, until=facts.unusual_until))


def an_unspoken_exit_is_held(facts: Facts) -> Requirement:
    """Law 6: an exit that a platform registered is held, day by day, until a statute speaks of it.

    The next end lies ahead, however long it has been asked for: nothing leaves by waiting.
    """
    if not facts.unspoken:
        return NOTHING
    days = (facts.now - facts.proposed_at) // UNSPOKEN_HELD + 1
    return WaitUntil(code=Reason.EXIT_UNSPOKEN, until=facts.proposed_at + days * UNSPOKEN_HELD)


def a_halt_stops_every_exit(facts: Facts) -> Requirement:
    """Law 7: one officer halts the platform, and nothing leaves until two have resumed it.

    No records are erased meanwhile. Prevents: evidence destroyed while officers look for it.
    """
    stopped = facts.action_class is ActionClass.EXIT or facts.action == ActionType.ACCOUNT_ERASE
    if facts.platform_halted and stopped:
        return Never(code=Reason.PLATFORM_HALTED)
    return NOTHING


def a_suspension_stops_every_exit(facts: Facts) -> Requirement:
    """Law 7: one officer stops an account for two weeks at most; nobody is erased meanwhile."""
    until = facts.suspended_until
    stopped = facts.action_class is ActionClass.EXIT or facts.action == ActionType.ACCOUNT_ERASE
    if until is None or until <= facts.now or not stopped:
        return NOTHING
    return Never(code=Reason.ACCOUNT_SUSPENDED, until=until)


def a_freeze_stops(facts: Facts) -> Requirement:
    """Law 6: under a freeze nothing leaves, nothing loosens; only lifting it may wait.

    Nor is whoever several would remove heard by a freeze that lapses, which one of them may have
    set. Prevents: a lift asked for before there was a freeze, to end one that is set later; and a
    member who freezes by each channel in turn, and is never removed.
    """
    if facts.frozen_until is None or facts.frozen_until <= facts.now:
        return NOTHING
    lapses = facts.frozen_until.year != MAXYEAR
    if facts.action == ActionType.MEMBER_REMOVE and takes_others(facts) and lapses:
        return NOTHING
    stopped = facts.action_class in (ActionClass.EXIT, ActionClass.LOOSENING) or (
        facts.action in (ActionType.API_KEY_CREATE, ActionType.PASSWORD_CHANGE)
    )
    if facts.action == ActionType.FREEZE_LIFT:
        stopped = facts.frozen_at is not None and facts.proposed_at < facts.frozen_at
    ends = facts.frozen_until if lapses else None
    return Never(code=Reason.ACCOUNT_FROZEN, until=ends) if stopped else NOTHING


def a_no_is_no_weapon(facts: Facts) -> Requirement:
    """Law 5: a freeze or a suspension below the floor may be set once a month from the same root.

    It is asked for more proof and not refused: the owner has shown nothing yet when he asks. What
    goes missing together is suspended in one sitting.
    """
    bounded = (ActionType.FREEZE_SET, ActionType.AUTHENTICATOR_SUSPEND)
    if facts.action not in bounded or facts.weak_freeze_at is None:
        return NOTHING
    floor = max(facts.floor, Level.KNOWLEDGE)
    if facts.shown_level >= floor or facts.now >= facts.weak_freeze_at + WEAK_FREEZE_EVERY:
        return NOTHING
    sitting = facts.now < facts.weak_freeze_at + WEAK_SITTING
    if facts.action == ActionType.AUTHENTICATOR_SUSPEND and sitting:
        return NOTHING
    return Prove(code=Reason.FREEZE_TOO_SOON, level=floor)


def a_contest_is_decided(facts: Facts) -> Requirement:
    """Law 5: what is contested waits for a root that neither side has used; asked anew it is no.

    Of several members each is one root, whatever number of keys they have. Prevents: a change that
    is asked for once more while somebody still objects to it.
    """
    if facts.action_class not in (ActionClass.EXIT, ActionClass.LOOSENING):
        return NOTHING
    if facts.contested_until is None:
        return _no_exit_meanwhile(facts)
    if not facts.contest_open:
        ends = facts.contested_until if facts.contested_until > facts.now else None
        return Never(code=Reason.CONTESTED, until=ends)
    if takes_others(facts):
        return another_member(Reason.CONTESTED)
    level = max(facts.floor, Level.POSSESSION)
    return Prove(code=Reason.CONTESTED, level=level, roots=len(facts.shown_roots) + 1)


def _no_exit_meanwhile(facts: Facts) -> Requirement:
    """Law 5: exits are held meanwhile. No wait is told: the contest may be over sooner."""
    until = facts.exits_contested_until
    if facts.action_class is not ActionClass.EXIT or until is None or until <= facts.now:
        return NOTHING
    return Never(code=Reason.EXITS_CONTESTED, until=until)


def the_last_way_in_stays(facts: Facts) -> Requirement:
    """Law 10: what would lock the owner out for ever is not removed."""
    return NOTHING if facts.way_in_left else Never(code=Reason.LAST_AUTHENTICATOR)


def nothing_beyond_its_room(facts: Facts) -> Requirement:
    """An account holds so many of each thing and no more; a full one is told so, not broken."""
    return Never(code=Reason.TOO_MANY) if facts.too_many else NOTHING


def nothing_is_bound_twice(facts: Facts) -> Requirement:
    """What is bound already is not bound again: removing the one would leave the other."""
    return Never(code=Reason.ALREADY_BOUND) if facts.bound_already else NOTHING


def an_app_needs_its_password(facts: Facts) -> Requirement:
    """Whatever gives access takes the password beside an authenticator app (SP 800-63B, AAL2).

    Nothing of this class waits, so one code would be all. A session does not replace the password:
    it is no fresh proof. Prevents: one code that was relayed, for a new password or a key to trade.
    """
    if facts.action_class is not ActionClass.ACCESS or facts.shown_level is not Level.POSSESSION:
        return NOTHING
    if Factor.PASSWORD in facts.shown_factors:
        return NOTHING
    return Prove(code=Reason.PASSWORD_NEEDED, level=Level.POSSESSION, factors=(Factor.PASSWORD,))


def nothing_needed_is_erased(facts: Facts) -> Requirement:
    """Law 5: an erasure waits until nothing is on its way out; while a legal hold stands it is no.

    A hold on exits says that something may be wrong, and whoever may be wronged needs the records.
    Prevents: evidence of a theft destroyed while the theft goes on.
    """
    if facts.action != ActionType.ACCOUNT_ERASE:
        return NOTHING
    held = _until(facts, facts.held_until, Reason.EXITS_HELD)
    open_ = _until(facts, facts.exit_open_until, Reason.EXIT_OPEN)
    contested = _until(facts, facts.exits_contested_until, Reason.EXITS_CONTESTED)
    return all_of(
        held, open_, contested, Never(code=Reason.LEGAL_HOLD) if facts.legal_hold else NOTHING
    )


def _until(facts: Facts, until: datetime | None, code: Reason) -> Requirement:
    if until is None or until <= facts.now:
        return NOTHING
    return WaitUntil(code=code, until=until)


def older_ones_speak(facts: Facts) -> Requirement:
    """Law 3: whatever is older may repudiate a newcomer, for 30 days; no newcomer reports an older.

    A proof is asked for and nothing refused, since an older one may still be shown. Prevents: a
    thief's new passkey that has the owner's suspended, or undone, to lock the owner out.
    """
    if facts.action not in REPORTS or facts.target_bound_at is None:
        return NOTHING
    repudiates = facts.action in REPUDIATIONS
    if repudiates and not is_newcomer(facts.target_bound_at, now=facts.now):
        return Never(code=Reason.REPUDIATION_OVER)
    shown_at = facts.shown_oldest_at
    if shown_at is not None and is_older(shown_at, facts.target_bound_at):
        return _as_strong_as_the_target(facts)
    if shown_at is not None and not repudiates:
        same_age = not is_older(facts.target_bound_at, shown_at)
        if same_age or not is_newcomer(shown_at, now=facts.now):
            return NOTHING
    if not facts.older_enrolled:
        return Never(code=Reason.OLDER_NEEDED)
    return Prove(code=Reason.OLDER_NEEDED, level=max(facts.target_level, Level.KNOWLEDGE))


def what_is_named_is_there(facts: Facts) -> Requirement:
    """Law 2: what was signed stands there as it was signed, also when the wait is over."""
    return Never(code=Reason.TARGET_GONE) if facts.target_gone else NOTHING


def somebody_is_told(facts: Facts) -> Requirement:
    """Law 5: the last channel is replaced, never removed: its silence would mean nothing."""
    return NOTHING if facts.channel_left else Never(code=Reason.LAST_CHANNEL)


def a_new_channel_answers(facts: Facts) -> Requirement:
    """Law 5: a channel counts once a code that was sent there came back (SP 800-63B-4, 4.2.1.2).

    Prevents: silence of an address that nobody reads, taken for consent.
    """
    if facts.channel_confirmed:
        return NOTHING
    return Prove(code=Reason.CHANNEL_UNCONFIRMED, level=Level.NONE, factors=(Factor.CHANNEL_CODE,))


def no_look_alike(facts: Facts) -> Requirement:
    """Law 5: what begins and ends like a known address, and is another, is nowhere to send to.

    Never a warning: whoever was deceived signs over that. Prevents: address poisoning (S13).
    """
    return Never(code=Reason.LOOK_ALIKE) if facts.look_alike else NOTHING


def nothing_to_the_listed(facts: Facts) -> Requirement:
    """Law 1: what the list of sanctions names is refused, and everything where no list is in force.

    It is asked again at the spend. A list is asked for by a setting, and by nothing else.
    """
    match facts.screened:
        case Screened.LISTED:
            return Never(code=Reason.SCREENED)
        case Screened.UNKNOWN:
            return Never(code=Reason.SCREENING_DOWN)
        case Screened.NONE | Screened.CLEAR:
            return NOTHING
        case _:
            assert_never(facts.screened)


LAWS: tuple[Law, ...] = (
    unknown_is_no,
    a_proof_counts_once,
    the_floor_never_sinks,
    newcomers_undo_nothing,
    a_password_is_no_root,
    two_roots,
    a_budget_is_small,
    loosening_waits,
    a_told_wait_stays,
    an_unheard_wait_is_longer,
    a_hold_covers_every_exit,
    an_unspoken_exit_is_held,
    a_halt_stops_every_exit,
    a_suspension_stops_every_exit,
    a_freeze_stops,
    own_limits_hold,
    a_lock_delays,
    what_tightens_is_tighter,
    a_weak_lock_is_short,
    two_keys_are_there,
    a_contact_agrees,
    a_contact_stays_a_while,
    a_contact_is_the_owners,
    *MEMBER_LAWS,
    a_no_is_no_weapon,
    a_contest_is_decided,
    a_withdraw_key_is_bounded,
    an_api_key_reaches_so_far,
    the_last_way_in_stays,
    nothing_beyond_its_room,
    nothing_is_bound_twice,
    an_app_needs_its_password,
    nothing_needed_is_erased,
    older_ones_speak,
    what_is_named_is_there,
    somebody_is_told,
    a_new_channel_answers,
    no_look_alike,
    nothing_to_the_listed,
    an_imported_passkey_opens_no_door,
)
