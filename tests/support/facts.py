"""Strategies for facts, profiles and requirements, and what it means to fulfil a requirement."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, LONG_AGO, NOON

from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import PROOFS, Factor, Level, level_shown
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.catalogue import CLASS_OF, REPORTS, SCOPES, ActionClass, ActionType
from twinlock.domain.key_laws import by_api_key
from twinlock.domain.policy.facts import (
    ApiKeyState,
    ApiKeyUse,
    DestinationState,
    Facts,
    SessionState,
    Within,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    AllOf,
    AnyOf,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
    waits_until,
)

FOREVER = datetime.max.replace(tzinfo=NOON.tzinfo, microsecond=0)
ROOTS = ("desktop:b", "phone", "roaming:a")
CENTS = (0, 1, 500_00, 500_01, 1_000_00, 1_000_01, 100_000_00, 100_000_01, MAX_VALUE_CENTS)
EXITS = tuple(kind for kind, cls in CLASS_OF.items() if cls is ActionClass.EXIT)

lengths = st.sampled_from(
    [timedelta(0), INSTANT, HOUR, DAY - INSTANT, DAY, DAY + INSTANT, 3 * DAY, 30 * DAY, 31 * DAY]
)
earlier = lengths.map(lambda length: NOON - length)
around = st.one_of(earlier, lengths.map(lambda length: NOON + length))
maybe_around = st.none() | around
cents = st.sampled_from(CENTS)
levels = st.sampled_from(Level)
# What stands beside the owner's proofs never becomes one of the factors shown.
factor_sets = st.frozensets(st.sampled_from(sorted(PROOFS)))
scores = st.sampled_from([0, 0, 1, 59, 60, 84, 85, 100])
rarely = st.integers(0, 9).map(lambda number: number == 0)


@st.composite
def facts(draw: st.DrawFn, /, **fixed: Any) -> Facts:  # noqa: ANN401 - any of the fields
    """Draw facts that hold together as those of one account do."""
    action = fixed.get("action") or draw(st.sampled_from([*CLASS_OF, *EXITS, "unknown"]))
    scopes: tuple[str, ...] = ()
    if action == ActionType.API_KEY_CREATE:
        scopes = tuple(sorted(draw(st.frozensets(st.sampled_from(sorted(SCOPES)), min_size=1))))
    cls = ActionClass.LOOSENING if "withdraw" in scopes else CLASS_OF.get(action)
    if action == ActionType.TRUSTED_CONTACT_ADD and draw(st.booleans()):
        cls = ActionClass.LOOSENING
    floor = draw(levels)
    factors = draw(factor_sets)
    shown = level_shown(factors, floor=floor)
    rooted = bool(factors - {Factor.PASSWORD, Factor.SESSION})
    roots = draw(st.frozensets(st.sampled_from(ROOTS), min_size=1)) if rooted else frozenset()
    removing = action == ActionType.AUTHENTICATOR_REMOVE
    exit_ = cls is ActionClass.EXIT
    agreed = {"agreement_cents": draw(st.none() | cents), "agreed": draw(st.booleans())}
    found = {
        "now": NOON,
        "action": action,
        "action_class": cls,
        "built": action in BUILT,
        "opened_at": draw(earlier),
        "proposed_at": draw(earlier),
        "proved_at": draw(earlier) if shown >= max(floor, Level.KNOWLEDGE) else None,
        "promised_until": draw(maybe_around),
        "offered_until": draw(maybe_around) if exit_ else None,
        "floor": floor,
        "shown_level": shown,
        "shown_factors": tuple(sorted(factors)),
        "shown_roots": tuple(sorted(roots)),
        "roots_enrolled": max(len(roots), draw(st.integers(0, 3))),
        **_of_a_lock(draw, len(roots)),
        "shown_oldest_at": draw(earlier) if factors else None,
        "session": _session(draw, factors),
        "enrolling": draw(rarely),
        "frozen_until": draw(st.none() | around | st.just(FOREVER)),
        "frozen_at": draw(earlier),
        "held_until": draw(maybe_around),
        "narrow": draw(st.booleans()),
        "has_channel": draw(st.booleans()),
        "way_in_left": not (removing and draw(rarely)),
        "too_many": draw(rarely),
        "day_cents": draw(cents),
        "loosens_agreement": cls is ActionClass.LOOSENING and draw(rarely),
        **(agreed if exit_ else {}),
    }
    about = _about(draw, action, scopes) | _where(draw, exit_=exit_)
    made = Facts(**(found | about | fixed))
    signs = made.action == ActionType.WITHDRAWAL_CRYPTO and Factor.API_KEY in made.shown_factors
    return with_key(draw, made) if signs else made


def _of_a_lock(draw: st.DrawFn, shown: int) -> dict[str, Any]:
    """Draw how many roots a lock of both keys counts, and from when one is enough."""
    bound = max(shown, draw(st.integers(0, 3)))
    gone = shown < 2 <= bound and draw(st.booleans())
    return {"roots_bound": bound, "one_root_from": draw(around) if gone else None}


def with_key(draw: st.DrawFn, found: Facts) -> Facts:
    """Return ``found`` with an API key's use, which proves something where it lies within it."""
    state = draw(st.sampled_from(ApiKeyState))
    daily = draw(cents)
    proved_by = draw(st.sampled_from([PROOFS_OF[level] for level in Level if level]))
    key = ApiKeyUse(
        state=state,
        usable_from=NOON + draw(lengths) if state is ApiKeyState.WAITING else None,
        level=level_shown(proved_by, floor=found.floor),
        scopes=tuple(sorted(draw(st.frozensets(st.sampled_from(sorted(SCOPES)), min_size=1)))),
        ip=draw(st.sampled_from(Within)),
        destination=draw(st.sampled_from(Within)),
        daily_cents=daily,
        left_cents=min(draw(cents), daily),
    )
    signed = replace(found, api_key=key)
    if not by_api_key(signed):
        return signed
    return replace(signed, proved_at=found.proved_at or draw(earlier))


_KNOWN = [one for one in DestinationState if one is not DestinationState.NONE]


def _where(draw: st.DrawFn, *, exit_: bool) -> dict[str, Any]:
    """Draw what an exit is about: a destination and a value."""
    return {
        "destination": draw(st.sampled_from(_KNOWN)) if exit_ else DestinationState.NONE,
        "destinations_required": draw(st.booleans()),
        "budget_left_cents": draw(cents) if exit_ else 0,
        "destination_day_cents": draw(cents) if exit_ else 0,
        "value_cents": draw(cents) if exit_ else 0,
    }


def _about(draw: st.DrawFn, action: str, scopes: tuple[str, ...]) -> dict[str, Any]:
    """Draw what a change is about: what it names, and what it asks for."""
    removing = action == ActionType.AUTHENTICATOR_REMOVE
    contact = action == ActionType.CONTACT_CHANGE
    about = removing or contact or action in REPORTS
    return {
        "new_device": draw(st.booleans()),
        "risk": draw(scores),
        "unusual_until": draw(maybe_around),
        "budget_cents": draw(cents) if action == ActionType.DESTINATION_ADD else 0,
        "target_gone": draw(rarely),
        "channel_left": not (contact and draw(rarely)),
        "channel_confirmed": not (contact and draw(st.booleans())),
        "target_level": draw(levels) if removing else Level.NONE,
        "target_bound_at": draw(st.none() | earlier) if about else None,
        "scopes": scopes,
        "ip_list": draw(st.integers(0, 2)) if scopes else 0,
        "key_destinations": draw(st.integers(0, 2)) if scopes else 0,
        "key_daily_cents": draw(cents) if scopes else 0,
        "last_exit_at": draw(st.none() | earlier),
        "exit_open_until": draw(maybe_around),
        "legal_hold": draw(rarely),
        "weak_freeze_at": draw(st.none() | earlier),
        "unheard_until": draw(maybe_around) if draw(rarely) else None,
        "contested_until": draw(maybe_around) if draw(rarely) else None,
        "exits_contested_until": draw(maybe_around) if draw(rarely) else None,
        "contest_open": draw(st.booleans()),
    }


def _session(draw: st.DrawFn, factors: Iterable[Factor]) -> SessionState:
    if Factor.SESSION in factors:
        return draw(st.sampled_from([SessionState.READ_ONLY, SessionState.FULL]))
    return SessionState.UNSIGNED if draw(rarely) else SessionState.NONE


# --- Requirements ---

codes = st.sampled_from(Reason)
single_demands = st.one_of(
    st.builds(Prove, code=codes, level=levels, roots=st.integers(1, 2)),
    st.builds(WaitUntil, code=codes, until=around),
    st.builds(Approvals, code=codes, count=st.integers(1, 3)),
    st.builds(Never, code=codes, until=maybe_around),
)


def _joined(inner: st.SearchStrategy[Requirement]) -> st.SearchStrategy[Requirement]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(some.map(lambda few: all_of(*few)), some.map(lambda few: any_of(*few)))


requirements: st.SearchStrategy[Requirement] = st.one_of(
    st.just(all_of()), st.recursive(single_demands, _joined, max_leaves=6)
)


# --- Fulfilling: do what is listed, and nothing else ---

Choose: TypeAlias = Callable[[int], int]
PROOFS_OF = {
    Level.NONE: (),
    Level.KNOWLEDGE: (Factor.PASSWORD,),
    Level.OUT_OF_BAND: (Factor.PASSWORD, Factor.EMAIL_CODE),
    Level.POSSESSION: (Factor.TOTP,),
    Level.PHISHING_RESISTANT: (Factor.PASSKEY,),
}


def fulfil(missing: Requirement, before: Facts, choose: Choose) -> Facts | None:
    """Return the facts after doing what ``missing`` lists, or None where nothing lifts it.

    ``choose`` picks one of so many options. Proofs come first, and then time passes.
    """
    chosen = list(_chosen(missing, choose))
    if any(isinstance(one, Never | Approvals) for one in chosen):
        return None
    after = before
    for one in chosen:
        if isinstance(one, Prove):
            after = _proved(after, one)
    ends = waits_until(all_of(*chosen))
    return after if ends is None else _later(after, ends)


def _chosen(missing: Requirement, choose: Choose) -> Iterable[Requirement]:
    match missing:
        case AllOf(parts=parts):
            for part in parts:
                yield from _chosen(part, choose)
        case AnyOf(options=options):
            yield from _chosen(options[choose(len(options))], choose)
        case _:
            yield missing


def _proved(before: Facts, need: Prove) -> Facts:
    if need.code is Reason.CHANNEL_UNCONFIRMED:
        return replace(before, channel_confirmed=True)
    if need.code is Reason.AGREEMENT_NEEDED:
        return replace(before, agreed=True)
    if need.code is Reason.CONTESTED:  # A root that neither side has used ends it.
        settled = replace(
            before, contested_until=None, contest_open=False, exits_contested_until=None
        )
        return _shown(settled, need)
    if need.code is Reason.OLDER_NEEDED:  # Of whatever was bound first.
        seen = tuple(sorted({*before.shown_factors, Factor.PASSWORD}))
        return replace(before, shown_oldest_at=LONG_AGO, shown_factors=seen)
    return _shown(before, need)


def _shown(before: Facts, need: Prove) -> Facts:
    """Return the facts after proofs of the level, and of as many roots, as ``need`` asks for."""
    factors = {*before.shown_factors, *PROOFS_OF[need.level]}
    factors |= set(need.factors)
    level = level_shown(factors, floor=before.floor)
    rooted = bool(factors - {Factor.PASSWORD, Factor.SESSION})
    roots = set(before.shown_roots) or ({"phone"} if rooted else set())
    roots |= set(ROOTS[: need.roots]) if need.roots > 1 else set()
    enough = level >= max(before.floor, Level.KNOWLEDGE)
    return replace(
        before,
        shown_factors=tuple(sorted(factors)),
        shown_level=level,
        shown_roots=tuple(sorted(roots)),
        shown_oldest_at=before.shown_oldest_at or LONG_AGO,
        proved_at=before.proved_at or (before.now if enough else None),
        narrow=before.narrow and not (before.has_channel and len(roots) > 1),
    )


def _later(before: Facts, ends: datetime) -> Facts:
    now = max(before.now, ends)
    another_day = now.date() != before.now.date()
    after = replace(before, now=now, api_key=_key_later(before.api_key, now, fresh=another_day))
    return replace(after, day_cents=0, destination_day_cents=0) if another_day else after


def _key_later(key: ApiKeyUse | None, now: datetime, *, fresh: bool) -> ApiKeyUse | None:
    """Return the key as it is at ``now``: made, if that was what it waited for."""
    if key is None:
        return None
    left = key.daily_cents if fresh else key.left_cents
    if key.usable_from is None or key.usable_from > now:
        return replace(key, left_cents=left)
    return replace(key, state=ApiKeyState.LIVE, usable_from=None, left_cents=left)
