"""The page that compares the profiles: docs/profiles.md, asked of the rules that run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from doc_parts import in_words, page, table
from msgspec.structs import replace

from twinlock.bootstrap.rulebook import RuleBook
from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.catalogue import CLASS_OF, WITHDRAW_SCOPE, ActionClass, ActionType
from twinlock.domain.decisions import Rules, agreed, judge_facts
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.requirements import (
    NOTHING,
    AllOf,
    AnyOf,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
)
from twinlock.range.profiles import PROFILES, rules_of

_NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
_LONG_AGO = timedelta(days=365)
_LEVELS = {
    Level.KNOWLEDGE: "any factor",
    Level.OUT_OF_BAND: "password and code",
    Level.POSSESSION: "app or better",
    Level.PHISHING_RESISTANT: "passkey",
}
_SEND: dict[str, Any] = {
    "action": ActionType.WITHDRAWAL_CRYPTO,
    "destination": DestinationState.USABLE,
    "value_cents": 50_00,
}
# What is asked, in words, by an owner with a passkey and a channel off the phone unless it says so.
_CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sign in on a known device", {"action": ActionType.SESSION_START}),
    ("sign in on a new device", {"action": ActionType.SESSION_START, "new_device": True}),
    (
        "US$50 to a listed destination, signed in, within its budget",
        _SEND
        | {
            "session": SessionState.FULL,
            "shown_factors": (Factor.SESSION,),
            "budget_left_cents": 200_00,
        },
    ),
    ("US$50 to a listed destination", _SEND),
    ("US$50 to one that lapsed", _SEND | {"destination": DestinationState.LAPSED}),
    ("US$50 to a new destination", _SEND | {"destination": DestinationState.NEW}),
    ("US$50 to one that nobody signed", _SEND | {"destination": DestinationState.UNPROVED}),
    ("US$200,000 to a listed destination", _SEND | {"value_cents": 200_000_00}),
    ("the same, with two keys", _SEND | {"value_cents": 200_000_00, "roots_enrolled": 2}),
    ("US$5,000, all channels on the phone", _SEND | {"value_cents": 5_000_00, "narrow": True}),
    (
        "any exit while exits are held for another day",
        _SEND | {"held_until": _NOW + timedelta(days=1)},
    ),
    ("bind one more authenticator", {"action": ActionType.AUTHENTICATOR_BIND}),
    (
        "remove one",
        {
            "action": ActionType.AUTHENTICATOR_REMOVE,
            "target_level": Level.PHISHING_RESISTANT,
            "target_bound_at": _NOW - _LONG_AGO,
        },
    ),
    (
        "report one lost, with something as old",
        {
            "action": ActionType.AUTHENTICATOR_SUSPEND,
            "target_bound_at": _NOW - _LONG_AGO,
        },
    ),
    (
        "have it again",
        {
            "action": ActionType.AUTHENTICATOR_REACTIVATE,
            "target_level": Level.PHISHING_RESISTANT,
            "target_bound_at": _NOW - timedelta(days=7),
        },
    ),
    (
        "undo one that is not one's own, added a week ago",
        {
            "action": ActionType.AUTHENTICATOR_REPUDIATE,
            "target_bound_at": _NOW - timedelta(days=7),
        },
    ),
    (
        "replace an e-mail address or a number",
        {
            "action": ActionType.CONTACT_CHANGE,
            "target_level": Level.PHISHING_RESISTANT,
            "target_bound_at": _NOW - _LONG_AGO,
            "channel_confirmed": False,
        },
    ),
    (
        "undo one that is not one's own, added a week ago",
        {
            "action": ActionType.CONTACT_REPUDIATE,
            "target_bound_at": _NOW - timedelta(days=7),
        },
    ),
    ("change the password", {"action": ActionType.PASSWORD_CHANGE}),
    ("reset a forgotten one", {"action": ActionType.PASSWORD_RESET}),
    ("list a destination", {"action": ActionType.DESTINATION_ADD}),
    (
        "the same, where only listed ones may be used",
        {
            "action": ActionType.DESTINATION_ADD,
            "destinations_required": True,
        },
    ),
    ("take one off the list", {"action": ActionType.DESTINATION_REMOVE}),
    (
        "an API key that trades, from two networks",
        {
            "action": ActionType.API_KEY_CREATE,
            "scopes": ("read", "trade"),
            "ip_list": 2,
        },
    ),
    (
        "an API key that trades, from anywhere",
        {
            "action": ActionType.API_KEY_CREATE,
            "scopes": ("read", "trade"),
        },
    ),
    (
        "an API key that withdraws, bound",
        {
            "action": ActionType.API_KEY_CREATE,
            "scopes": (WITHDRAW_SCOPE,),
            "ip_list": 2,
            "key_destinations": 1,
            "key_daily_cents": 100_00,
        },
    ),
    (
        "an API key that withdraws, from anywhere",
        {
            "action": ActionType.API_KEY_CREATE,
            "scopes": (WITHDRAW_SCOPE,),
        },
    ),
    ("revoke an API key", {"action": ActionType.API_KEY_REVOKE}),
    ("freeze", {"action": ActionType.FREEZE_SET}),
    (
        "lift the freeze",
        {
            "action": ActionType.FREEZE_LIFT,
            "frozen_until": _NOW + _LONG_AGO,
            "frozen_at": _NOW - _LONG_AGO,
        },
    ),
    ("erase the account, which nothing ever left", {"action": ActionType.ACCOUNT_ERASE}),
    (
        "the same, a year after the last exit",
        {"action": ActionType.ACCOUNT_ERASE, "last_exit_at": _NOW - _LONG_AGO},
    ),
)


def profiles_page() -> str:
    """Return docs/profiles.md."""
    return page(
        "The profiles",
        """
What must be shown, how long it waits, and who must agree, for each kind of action. Every cell is
the answer of the rules that run, laws and statutes together, to somebody who has shown nothing yet.
Unless the row says otherwise, the account has a passkey and a notice channel off the phone.

`default` and `strict` are what `twinlock serve` can decide by (`TWINLOCK_PROFILE`, or what officers
activated). The other two
are what exchanges had and have, for comparison: they have weaker laws as well, and only the range
can play them ([range.md](range.md) says from which published rules each number comes).
""",
        table(("what is asked", *(f"`{name}`" for name in PROFILES)), _rows()),
        "## What follows",
        "For how long nothing leaves once it took effect.",
        table(("after", *(f"`{name}`" for name in PROFILES)), _holds()),
        """
In the weaker profiles a hold stops withdrawals on the chain only, and spares listed addresses in
`baseline-2024`; in the others it covers every exit, one that was added yesterday included.
""".strip(),
    )


def _rows() -> Iterator[tuple[str, ...]]:
    for asked, changes in _CASES:
        yield asked, *(_answer(rules_of(name), _facts(changes)) for name in PROFILES)


def _facts(changes: dict[str, Any]) -> Facts:
    action = changes["action"]
    withdraws = WITHDRAW_SCOPE in changes.get("scopes", ())
    found = Facts(
        now=_NOW,
        action=action,
        action_class=ActionClass.LOOSENING if withdraws else CLASS_OF[action],
        built=action in BUILT,
        opened_at=_NOW - _LONG_AGO,
        proposed_at=_NOW,
        proved_at=None,
        floor=Level.PHISHING_RESISTANT,
        roots_enrolled=1,
        narrow=False,
        has_channel=True,
    )
    return replace(found, **changes)


def _answer(book: RuleBook, facts: Facts) -> str:
    rules = Rules(laws=book.laws, statutes=book.statutes, policy=book.policy, confirm=agreed)
    missing = judge_facts(facts, rules=rules)
    return "at once, with nothing shown" if missing == NOTHING else _said(missing)


def _said(missing: Requirement) -> str:
    match missing:
        case AllOf(parts=parts):
            return _all_of(parts)
        case AnyOf(options=options):
            return " or ".join(dict.fromkeys(map(_said, options)))
        case Prove(level=level, roots=roots, factors=factors):
            if roots > 1:
                return f"proofs of {roots} roots"
            return " and ".join(factors) if factors else _LEVELS[level]
        case WaitUntil(until=until):
            return in_words(until - _NOW, written=str(until))
        case Approvals(count=count):
            return f"{count} approvals"
        case Never(until=until):
            ends = "" if until is None else f", until {_until(until)}"
            return f"refused{ends} (`{missing.code}`)"


def _until(until: datetime) -> str:
    if until - _NOW <= timedelta(days=1):
        return "the next day"
    return f"{in_words(until - _NOW, written=str(until))} from now"


def _all_of(parts: tuple[Requirement, ...]) -> str:
    """Return what is needed: one refusal is enough; else the strongest proof and the last wait."""
    refused = [part for part in parts if isinstance(part, Never)]
    if refused:
        return _said(refused[0])
    proofs = [part for part in parts if isinstance(part, Prove)]
    named = max(proofs, key=lambda one: (one.level, one.roots, one.factors), default=None)
    waits = [part for part in parts if isinstance(part, WaitUntil)]
    last = max(waits, key=lambda one: one.until, default=None)
    rest = [part for part in parts if not isinstance(part, Prove | WaitUntil)]
    chosen = [part for part in (named, last, *rest) if part is not None]
    return ", then ".join(dict.fromkeys(map(_said, chosen)))


def _holds() -> Iterator[tuple[str, ...]]:
    kinds = sorted({kind for name in PROFILES for kind in rules_of(name).policy.statutes.permits})
    for kind in kinds:
        lengths = [rules_of(name).policy.statutes.exits_held(kind) for name in PROFILES]
        if any(lengths):
            new = " from a new device" if kind == ActionType.SESSION_START else ""
            yield f"`{kind}`{new}", *map(_length, lengths)
    scored = [
        rules_of(name).policy.statutes.scores_held(ActionType.SESSION_START) for name in PROFILES
    ]
    for number, what in enumerate(("raised", "high")):
        lengths = [each[number] or None for each in scored]
        yield f"`{ActionType.SESSION_START}` of a {what} score", *map(_length, lengths)


def _length(value: timedelta | None) -> str:
    return "–" if value is None else in_words(value, written=str(value))
