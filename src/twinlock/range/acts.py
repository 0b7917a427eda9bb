"""From a step's words to what is proposed: its type, its payload, and the session behind it.

A parameter that the range does not understand makes the step not playable: playing without it
would play another story. Those that only tell why somebody acts are listed, and change nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeAlias

from msgspec import structs

from twinlock.client import ProblemError
from twinlock.domain.actions import BUILT
from twinlock.domain.catalogue import ActionType
from twinlock.domain.exits import EXITS
from twinlock.domain.reasons import Reason
from twinlock.range import own_words
from twinlock.range.api_keys import VIA, SoftwareKey, key_payload, new_key
from twinlock.range.customer import (
    CODE_CHANNELS,
    KEYS,
    Belongings,
    LiveSession,
    NotHeldError,
    NotPlayableError,
    new_password,
)
from twinlock.range.device import SoftwareDevice
from twinlock.range.leaving import LOOKS, UNDERSTOOD, chain_of, leaving
from twinlock.range.limits import limit_of
from twinlock.range.places import band_bp, pairs_of
from twinlock.range.refusals import refusal
from twinlock.range.setting_up import neighbour
from twinlock.range.stage import BUDGET_CENTS, MAX_FEE_CENTS, Stage
from twinlock.range.story import Step
from twinlock.range.words import THIEVES, Capability, Mark, Person, Proof

SESSION_KEPT = timedelta(minutes=55)  # It idles out after an hour.
WORD_BITS = 64
_TAKES = frozenset({Capability.DEVICE_MALWARE, Capability.SESSION_COOKIE})  # The owner's session.
APPROVE, SPEND = "approve", "spend"  # What the platform calls: the gate, or the wallet's signer.
# What only tells of the people: what they believe, and who sees their screen.
TOLD = frozenset(
    {
        *("persuaded", "screen_shared", "seed_seen_by", "believes", "how"),
        *("coerced", "forced", "threatened", "watched_by", "seen_by", "phished", "relayed"),
        *("reason", "note", "knows", "claims_to_be", "page", "shown", "shows"),
    }
)
# From where somebody signs in: on the owner's device, or on one that the account has not seen.
KNOWN_ORIGINS = ("known_device", "same_device")
NEW_ORIGINS = (
    *("new_device", "other_device", "attacker_device", "unknown_device", "emulator"),
    *("new_network", "other_network", "new_country", "other_country", "proxy", "vpn", "tor"),
)
# Where channels lead that a step adds, by kind.
NEW_ADDRESSES = {
    "email": "{who}.{number}@example.net",
    "sms": "+1555019{number:04}",
    "desktop": "{who}-desktop-{number}",
}
ADDRESSES = frozenset(NEW_ADDRESSES)
# What commits to a secret: its payload is new each time, so no session signs it beforehand.
SECRET = frozenset(
    {
        ActionType.AUTHENTICATOR_BIND,
        ActionType.PASSWORD_CHANGE,
        ActionType.PASSWORD_RESET,
        ActionType.NOTICE_WORD_SET,
        ActionType.TRUSTED_CONTACT_ADD,
    }
)
_UNDERSTOOD: dict[str, frozenset[str]] = {
    **UNDERSTOOD,
    **own_words.UNDERSTOOD,
    ActionType.SESSION_START: frozenset({"from"}),
    ActionType.AUTHENTICATOR_BIND: frozenset({"authenticator"}),
    ActionType.AUTHENTICATOR_REMOVE: frozenset({"authenticator"}),
    ActionType.AUTHENTICATOR_SUSPEND: frozenset({"authenticator"}),
    ActionType.AUTHENTICATOR_REACTIVATE: frozenset({"authenticator"}),
    ActionType.AUTHENTICATOR_REPUDIATE: frozenset({"authenticator"}),
    ActionType.CONTACT_CHANGE: frozenset({"channel", "change", "to", "new"}),
    ActionType.CONTACT_REPUDIATE: frozenset({"channel"}),
    ActionType.PASSWORD_CHANGE: frozenset(),
    ActionType.PASSWORD_RESET: frozenset(),
    ActionType.NOTICE_WORD_SET: frozenset(),
    ActionType.DESTINATION_ADD: (
        LOOKS | {"destination", "verification_free", "network", "asset", "budget"}
    ),
    ActionType.DESTINATION_REMOVE: frozenset({"destination", "network", "asset"}),
    ActionType.API_KEY_CREATE: frozenset(
        {"name", "scopes", "ip_list", "destinations", "daily", "pairs", "price_band"}
    ),
    ActionType.API_KEY_WIDEN: frozenset(
        {"key", "ip_list", "pairs", "price_band", "scopes", "destinations"}
    ),
    ActionType.API_KEY_NARROW: frozenset({"key", "ip_list", "pairs", "price_band"}),
    ActionType.API_KEY_REVOKE: frozenset({"key"}),
    ActionType.FREEZE_SET: frozenset(),
    ActionType.FREEZE_LIFT: frozenset(),
    ActionType.ACCOUNT_ERASE: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is proposed.

    ``copied`` is a session that is only named, ``stale`` one whose device signed something else.
    ``value_cents`` leaves with a yes; ``device`` may begin a session; ``makes`` is what a binding
    makes proofs with, and ``key`` the API key that is made.
    """

    kind: str
    payload: dict[str, Any]
    session: LiveSession | None = None
    copied: LiveSession | None = None
    stale: LiveSession | None = None
    value_cents: int = 0
    device: SoftwareDevice | None = None
    makes: tuple[Proof, Belongings] | None = None
    key: SoftwareKey | None = None


async def acts_of(stage: Stage, step: Step) -> tuple[Act, ...]:
    """Return what ``step`` proposes: one action, or one for each pair that it trades.

    Raises:
        NotPlayableError: it has a word that cannot be played yet.
    """
    if step.do not in BUILT or step.do == ActionType.PLATFORM_EXIT:  # Nobody registered one here.
        return (Act(kind=step.do, payload=_plain(step.given)),)
    _check_understood(step)
    if step.do in EXITS:
        acts = exits(stage, step)
    elif step.do in _ACTS:
        acts = (await _ACTS[step.do](stage, step),)
    else:
        raise NotPlayableError(f"{step.do}: the range has no words for it yet")
    return tuple([await _with_session(stage, step, act) for act in acts])


async def act_of(stage: Stage, step: Step) -> Act:
    """Return the one action that ``step`` proposes. Raises NotPlayableError."""
    return (await acts_of(stage, step))[0]


def _check_understood(step: Step) -> None:
    strange = set(step.given) - _UNDERSTOOD.get(step.do, frozenset()) - TOLD
    if strange:
        raise NotPlayableError(f"{step.do} with {min(strange)!r}: not understood here")
    if step.given.get("via", VIA) != VIA:
        raise NotPlayableError(f"{step.do} via {step.given['via']!r}: not understood here")
    call = step.given.get("call", APPROVE)
    if call not in (APPROVE, SPEND):
        raise NotPlayableError(f"{step.do} with call: {call!r}: not understood here")
    if "authorization" in step.given and call != SPEND:
        raise NotPlayableError("an authorization is for the wallet: call: spend")
    if call == SPEND and step.do != ActionType.WITHDRAWAL_CRYPTO:
        raise NotPlayableError(f"{step.do}: a wallet signs what leaves on a chain, and no more")


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a file holds
    """Return a value as the API reads it: without floats, and whole numbers of 64 bits only."""
    match value:
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case float():
            return str(value)
        case int() if value.bit_length() >= WORD_BITS:
            return str(value)
        case _:
            return value


# --- Sessions ---


async def _with_session(stage: Stage, step: Step, act: Act) -> Act:
    """Add the session that the step shows: signed by its device, or only named."""
    shown = [one for one in step.showings if one.proof is Proof.SESSION]
    if not shown:
        return act
    mark = shown[0].mark
    if act.kind in SECRET and mark in (None, Mark.NEW):
        # Nothing signs what commits to a secret, so the session adds nothing to what is proved.
        return act
    if mark is Mark.COPIED:
        return replace(act, copied=await live_session(stage, Person.ALICE))
    if mark is Mark.NEW and step.by not in stage.sessions:
        return act
    if mark is Mark.OTHER_ACCOUNT:
        return replace(act, session=await (await neighbour(stage)).sign_in())
    if mark is Mark.DURESS:
        raise NotPlayableError(f"{shown[0]}: not understood here")
    try:
        session = await live_session(stage, step.by)
        again = mark in (Mark.OTHER_ACTION, Mark.SPENT)
        return replace(act, stale=session) if again else replace(act, session=session)
    except NotHeldError:
        return act


async def live_session(stage: Stage, person: Person) -> LiveSession:
    """Return a live session of ``person``; without one of their own, the owner's on her device.

    Whoever shows a session that the file gave them shows the owner's: malware on her device. Who
    has signed in shows what that came to, dead or alive.

    Raises:
        NotHeldError: they wanted to sign in and could not, and took none.
        NotPlayableError: the owner cannot sign in.
    """
    own = stage.sessions.get(person)
    kept = own is not None and stage.venue.now - own.began_at < SESSION_KEPT
    if own is not None and (kept or person in THIEVES):
        return own
    if person in THIEVES and person in stage.turned_away and stage.held.isdisjoint(_TAKES):
        raise NotHeldError(f"{person.value} has no session of this account")
    before = stage.customer.taps
    session = await owners_session(stage)
    stage.silent_taps += stage.customer.taps - before
    stage.sessions[Person.ALICE] = session
    return session


async def owners_session(stage: Stage) -> LiveSession:
    """Sign the owner in: by the rules of before where those of now would not let her in."""
    try:
        return await stage.customer.sign_in()
    except NotPlayableError:
        if stage.venue.past is stage.venue.book:
            raise
    except ProblemError as problem:
        if stage.venue.past is stage.venue.book:
            raise
        refusal(problem)  # A failure is no rule: it is raised again.
    stage.notes.append("a session that is shown was begun by the rules of before")
    with stage.venue.in_the_past():
        return await stage.customer.sign_in()


# --- Payloads ---


def exits(stage: Stage, step: Step) -> tuple[Act, ...]:
    """Return the exits that ``step`` wants. Raises NotPlayableError."""
    return tuple(
        Act(kind=step.do, payload=one.payload, value_cents=one.cents)
        for one in leaving(stage, step)
    )


def _where(stage: Stage, step: Step) -> dict[str, str]:
    symbol = step.given.get("destination")
    if not isinstance(symbol, str):
        raise NotPlayableError(f"{step.do} names no destination")
    named, asset = step.given.get("network"), step.given.get("asset")
    network = "" if named is None else chain_of(named)
    if not network and asset is not None:
        network = stage.asset(str(asset)).network
    return stage.places.where(symbol, step.given, network=network)


async def _session_start(stage: Stage, step: Step) -> Act:
    origin = step.given.get("from", "known_device")
    known = origin in KNOWN_ORIGINS
    if not known and origin not in NEW_ORIGINS:
        raise NotPlayableError(f"session.start from {origin!r}: not understood here")
    device = stage.customer.device if known else SoftwareDevice(stage.venue.draw())
    return Act(kind=step.do, payload={"device": device.jwk()}, device=device)


async def _bind(stage: Stage, step: Step) -> Act:
    word = str(step.given.get("authenticator", ""))
    made = Belongings()
    payload = await stage.customer.draft_binding(word, made)
    return Act(kind=step.do, payload=payload, makes=(Proof(word), made))


async def _remove(stage: Stage, step: Step) -> Act:
    named = await authenticator_id(stage, str(step.given.get("authenticator", "")))
    return Act(kind=step.do, payload={"authenticator_id": named})


async def authenticator_id(stage: Stage, word: str) -> str:
    """Return the id of the authenticator that a word means. Raises NotPlayableError."""
    seen = await stage.account()
    factor = Proof.PASSKEY.value if word in KEYS else word
    roaming = word == Proof.HARDWARE_KEY
    for one in seen["authenticators"]:
        if one["factor"] == factor and (one["placement"] == "roaming") is roaming:
            return str(one["authenticator_id"])
    raise NotPlayableError(f"this account has no {word!r}")


async def _change_password(stage: Stage, step: Step) -> Act:
    made = Belongings(password=new_password(stage.venue))
    payload = {"password": made.password}
    return Act(kind=step.do, payload=payload, makes=(Proof.PASSWORD, made))


async def _change_contact(stage: Stage, step: Step) -> Act:
    """Put a channel of whoever acts in the place of the owner's, unless told to add or remove."""
    kind = str(step.given.get("channel", ""))
    if kind not in ADDRESSES:
        raise NotPlayableError(f"the channel {kind!r} does not exist yet")
    old = await _channel_now(stage, kind)
    change = str(step.given.get("change", "add" if old is None else "replace"))
    if change not in ("add", "replace", "remove"):
        raise NotPlayableError(f"contact.change with change: {change!r}: not understood here")
    if change != "add" and old is None:
        raise NotPlayableError(f"this account has no {kind!r} channel")
    payload: dict[str, Any] = {} if change == "add" else {"channel_id": old}
    if change == "remove":
        return Act(kind=step.do, payload=payload)
    number = int.from_bytes(stage.venue.draw()[:2], "big") % 10_000
    address = NEW_ADDRESSES[kind].format(who=step.by.value, number=number)
    made = {proof: name for proof, name in CODE_CHANNELS.items() if name == kind}
    belongs = Belongings(new_channel=True)
    return Act(
        kind=step.do,
        payload={**payload, "kind": kind, "address": address},
        makes=next(((proof, belongs) for proof in made), None),
    )


async def _channel_now(stage: Stage, kind: str) -> str | None:
    """Return the channel of a kind: the old one while it is there, or what took its place."""
    seen = await stage.account()
    there = [one["channel_id"] for one in seen["channels"] if one["kind"] == kind]
    old = stage.customer.channels.get(kind)
    return old if old in there else next(iter(there), None)


async def _repudiate_contact(stage: Stage, step: Step) -> Act:
    kind = str(step.given.get("channel", ""))
    seen = await stage.account()
    old = set(stage.customer.channels.values())
    for one in seen["channels"]:
        if one["kind"] == kind and one["channel_id"] not in old:
            return Act(kind=step.do, payload={"channel_id": one["channel_id"]})
    raise NotPlayableError(f"this account has no new {kind!r} channel")


async def _add_destination(stage: Stage, step: Step) -> Act:
    # Without verification means: as large a sum on the session alone as this platform offers.
    free = bool(step.given.get("verification_free"))
    budget = limit_of(stage.policy.statutes, Reason.BUDGET_TOO_HIGH) if free else 0
    if "budget" in step.given:
        word = step.given["budget"]
        budget = BUDGET_CENTS if word == "small" else stage.whole_cents(word)
    payload = {
        **_where(stage, step),
        "label": str(step.given["destination"]),
        "budget_cents": budget,
    }
    return Act(kind=step.do, payload=payload)


async def _remove_destination(stage: Stage, step: Step) -> Act:
    return Act(kind=step.do, payload=_where(stage, step))


async def _create_api_key(stage: Stage, step: Step) -> Act:
    key = new_key(
        stage.venue.draw(),
        name=str(step.given.get("name", step.id)),
        by=step.by,
        scopes=step.given.get("scopes", ()),
        ip_list=step.given.get("ip_list", ()),
        pairs=pairs_of(step.given.get("pairs", ())),
    )
    # Where a file says nothing, all that there is: what a key may do is bounded by its lists.
    daily = stage.whole_cents(step.given.get("daily", "all")) + MAX_FEE_CENTS
    named = [stage.places.where(str(one)) for one in step.given.get("destinations", ())]
    band = band_bp(step.given.get("price_band", 0))
    payload = key_payload(key, named, daily_cents=daily, band_bp=band)
    return Act(kind=ActionType.API_KEY_CREATE, payload=payload, key=key)


async def _change_api_key(stage: Stage, step: Step) -> Act:
    """Widen or narrow a key in what a file names of it; the rest stays.

    More scopes or destinations than it has take another key, which may do that besides.
    """
    named, said = await _revoke_api_key(stage, step), step.given
    if "scopes" in said or "destinations" in said:
        old = [one for one in stage.keys if said.get("key", one.name) == one.name][-1]
        scopes = (*old.scopes, *(one for one in said.get("scopes", ()) if one not in old.scopes))
        kept = {"ip_list": list(old.ip_list), "pairs": list(old.pairs)}
        given = {**kept, **said, "scopes": list(scopes)}
        return await _create_api_key(stage, structs.replace(step, id=old.name, given=given))
    payload: dict[str, Any] = dict(named.payload)
    if "ip_list" in said:
        payload["ip_list"] = list(said["ip_list"])
    if "pairs" in said:
        payload["pairs"] = list(pairs_of(said["pairs"]))
    if "price_band" in said:
        payload["price_band_bp"] = band_bp(said["price_band"])
    return Act(kind=step.do, payload=payload)


async def _revoke_api_key(stage: Stage, step: Step) -> Act:
    seen = await stage.account()
    named = str(step.given.get("key", ""))
    meant = {one.public_key for one in stage.keys if named in ("", one.name)}
    found = [one for one in seen["api_keys"] if one["public_key"] in meant]
    if not found:
        raise NotPlayableError(f"this account has no API key {named}".rstrip())
    return Act(kind=step.do, payload={"api_key_id": found[-1]["api_key_id"]})


async def _add_trusted_contact(stage: Stage, step: Step) -> Act:
    made = Belongings()
    payload = await stage.customer.invite_contact(made)
    return Act(kind=step.do, payload=payload, makes=(Proof.TRUSTED_CONTACT, made))


async def _remove_trusted_contact(stage: Stage, step: Step) -> Act:
    seen = await stage.account()
    if not seen["trusted_contacts"]:
        raise NotPlayableError("this account has no trusted contact")
    return Act(kind=step.do, payload={"contact_id": seen["trusted_contacts"][0]["contact_id"]})


async def _limit(stage: Stage, step: Step) -> Act:
    return Act(kind=step.do, payload=own_words.limit_payload(stage, step))


async def _lock(_stage: Stage, step: Step) -> Act:
    return Act(kind=step.do, payload=own_words.lock_payload(step))


async def _set_word(_stage: Stage, step: Step) -> Act:
    return Act(kind=step.do, payload={"word": "blue heron"})


async def _nothing_more(_stage: Stage, step: Step) -> Act:
    return Act(kind=step.do, payload={})


_Acts: TypeAlias = Callable[[Stage, Step], Awaitable[Act]]
_ACTS: dict[str, _Acts] = {
    ActionType.SESSION_START: _session_start,
    ActionType.AUTHENTICATOR_BIND: _bind,
    ActionType.AUTHENTICATOR_REMOVE: _remove,
    ActionType.AUTHENTICATOR_SUSPEND: _remove,
    ActionType.AUTHENTICATOR_REACTIVATE: _remove,
    ActionType.AUTHENTICATOR_REPUDIATE: _remove,
    ActionType.CONTACT_CHANGE: _change_contact,
    ActionType.CONTACT_REPUDIATE: _repudiate_contact,
    ActionType.PASSWORD_CHANGE: _change_password,
    ActionType.PASSWORD_RESET: _change_password,
    ActionType.NOTICE_WORD_SET: _set_word,
    ActionType.DESTINATION_ADD: _add_destination,
    ActionType.DESTINATION_REMOVE: _remove_destination,
    ActionType.API_KEY_CREATE: _create_api_key,
    ActionType.API_KEY_WIDEN: _change_api_key,
    ActionType.API_KEY_NARROW: _change_api_key,
    ActionType.API_KEY_REVOKE: _revoke_api_key,
    ActionType.TRUSTED_CONTACT_ADD: _add_trusted_contact,
    ActionType.TRUSTED_CONTACT_REMOVE: _remove_trusted_contact,
    **dict.fromkeys(own_words.LIMITS, _limit),
    **dict.fromkeys(own_words.LOCKS, _lock),
    ActionType.FREEZE_SET: _nothing_more,
    ActionType.FREEZE_LIFT: _nothing_more,
    ActionType.ACCOUNT_ERASE: _nothing_more,
}
