"""Checks of what can be shown afterwards: entries with their proof, notices, spending once.

What is shown offline is checked by the verifier that strangers use, against a trust file and
nothing else (``twinlock.proofs.bundles``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twinlock.domain.account import ActionState
from twinlock.domain.actions import DestinationAdd
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import ActionType
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.notices import NoticeKind
from twinlock.domain.reasons import Reason
from twinlock.proofs.bundles import VerifiedBundle, verify_bundle
from twinlock.range.acts import live_session
from twinlock.range.asked import EntryProvable, ExactlyOnce, NoticeBeforeEffect, Shown
from twinlock.range.customer import KEYS, NotPlayableError
from twinlock.range.mailbox import Letter
from twinlock.range.replay import Replay
from twinlock.range.setting_up import send_to
from twinlock.range.stage import Heard, Stage
from twinlock.range.steps import OLD_ADDR, play_steps, play_until
from twinlock.range.tally import Tally
from twinlock.range.wallet import SPENT, spend_at_once
from twinlock.range.words import Person, Proof

PARALLEL_MOST = 100  # As many as one account may be asked in one go.
NO_DEVICE_KEY = "the evidence shows no signature of a session's device key"


# --- Entries ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added:
    """An entry as it stands on the list, and as the owner added it: by what, when and with what.

    ``at`` is when it took effect.
    """

    listed: dict[str, Any]
    action_id: str
    at: datetime
    proofs: tuple[Proof, ...]


async def entry_provable(replay: Replay, check: EntryProvable, tally: Tally) -> None:
    """Look at who added what to the list, and let a stranger check it."""
    if check.of != "destinations":
        raise NotPlayableError(f"entry_provable of {check.of!r}: not understood here")
    if check.imported is not None:
        if check.imported != "unverified":
            raise NotPlayableError(f"imported: {check.imported!r}: not understood here")
        await _imported(replay, tally)
    if check.shows:
        await _shown(replay, check, tally)


async def _imported(replay: Replay, tally: Tally) -> None:
    stage = await replay.fresh()
    listed = await stage.venue.client.destinations(stage.customer.account_id)
    imported = [one for one in replay.spec.destinations.entries if not one.signed]
    for entry in imported:
        tally.looked_at += 1
        address = stage.places.address(entry.name)
        found = next((one for one in listed if one["address"] == address), None)
        if found is None:
            tally.wrong.append(f"{entry.name} is not on the list")
        elif found["added_by"] or found["proved_by"] or found["usable_at"]:
            tally.wrong.append(f"{entry.name} counts as proved by somebody")
    if not imported:
        raise NotPlayableError("the account lists nothing that was imported")


async def _shown(replay: Replay, check: EntryProvable, tally: Tally) -> None:
    stage = await replay.fresh()
    added = await _add_signed(stage)
    on_the_list = [one for one in check.shows if one is not Shown.DEVICE_KEY]
    tally.looked_at += len(on_the_list)
    tally.wrong += [
        f"the list does not show {one.value}" for one in on_the_list if not _is_shown(added, one)
    ]
    if check.verifier is None:
        if Shown.DEVICE_KEY in check.shows:
            tally.missing.append("device_key: a list shows none; verifier: offline looks for it")
        return
    if check.verifier != "offline":
        raise NotPlayableError(f"verifier: {check.verifier!r}: not understood here")
    bundle = await stage.venue.client.evidence(added.action_id)
    try:
        verified = verify_bundle(encode(bundle), trust=stage.venue.trust)
    except BundleRefusedError as refused:
        tally.wrong.append(f"the evidence does not verify: {refused}")
        return
    tally.wrong += _contradictions(stage, added.listed, verified)
    if Shown.DEVICE_KEY in check.shows:
        tally.looked_at += 1
        if not verified.device_signatures:
            tally.wrong.append(NO_DEVICE_KEY)


async def _add_signed(stage: Stage) -> _Added:
    """List a destination in a signed session, wait, and return how it stands on the list.

    Whatever can be listed can be shown, so it is listed by the rules that let the owner.
    """
    with stage.venue.in_the_past():
        return await _add_to_the_list(stage)


async def _add_to_the_list(stage: Stage) -> _Added:
    where = stage.places.where("provable_addr")
    address = where["address"]
    session = await live_session(stage, Person.ALICE)
    proposed = await stage.customer.propose(ActionType.DESTINATION_ADD, where, session=session)
    shown = stage.customer.best() if proposed.state == ActionState.OPEN else ()
    answered = await stage.customer.prove_best(proposed)
    await stage.venue.set_forward(answered.until or stage.venue.now)
    at = stage.venue.now
    await send_to(stage.customer, where, prove=False)
    listed = await stage.venue.client.destinations(stage.customer.account_id)
    found = next((one for one in listed if one["address"] == address), None)
    if found is None:
        raise NotPlayableError(f"an entry of the owner's was answered {answered.answer.value}")
    return _Added(listed=found, action_id=answered.action_id, at=at, proofs=shown)


def _is_shown(added: _Added, what: Shown) -> bool:
    """Say whether the list tells of the entry what its owner did."""
    listed = added.listed
    proved = {Proof.PASSKEY.value if one in KEYS else one.value for one in added.proofs}
    facts: dict[Shown, bool] = {
        Shown.WHO: str(listed["added_by"]) == added.action_id,
        Shown.WHEN: datetime.fromisoformat(listed["added_at"]) == added.at,
        Shown.PROOF: bool(listed["proved_by"]) and proved <= set(listed["proved_by"]),
    }
    return facts[what]


def _contradictions(stage: Stage, listed: dict[str, Any], verified: VerifiedBundle) -> list[str]:
    """Return where the verified evidence says something else than the list."""
    payload = verified.payload
    facts = {
        "who": verified.account == stage.customer.account_id,
        "when": verified.at == datetime.fromisoformat(listed["added_at"]),
        "action": verified.action_id == listed["added_by"],
        "address": isinstance(payload, DestinationAdd) and payload.address == listed["address"],
        "proof": len(verified.assertions) + len(verified.recorded) > 0,
    }
    return [f"the evidence shows another {name}" for name, holds in facts.items() if not holds]


# --- Notices ---


_OFFERS = ("veto", "freeze")


async def notice_before_effect(replay: Replay, check: NoticeBeforeEffect, tally: Tally) -> None:
    """Play the steps, and look for word on every channel of whatever was told a wait or a yes.

    What is refused outright has no effect before which somebody could be told. It counts as looked
    at where the owner heard of the attempt: of the first of a day, whichever it is.
    """
    offers = {check.offers} if isinstance(check.offers, str) else set(check.offers)
    for offer in sorted(offers - set(_OFFERS)):
        tally.missing.append(f"offers {offer}: letters offer a veto or a freeze")
    stage = await replay.fresh(replay.steps)
    played = await play_steps(stage, replay.steps, judged=False)
    unplayed = {one.id: one.notes for one in played if one.answer is None and not one.stopped}
    channels = set(stage.spec.channels if check.channels == "all" else check.channels)
    if not channels:
        raise NotPlayableError("the account has no channel")
    for name in check.of:
        heard = stage.heard.get(name)
        if heard is None:
            tally.missing.append(f"{name}: {'; '.join(unplayed.get(name, ('not played',)))}")
        elif _takes_effect(heard):
            tally.looked_at += 1
            if not await _all_told(stage, channels, offers, about=heard.action_id):
                offered = " and a ".join(sorted(offers))
                tally.wrong.append(f"{name} was not announced on every channel, with a {offered}")
        elif await _all_told(stage, channels, offers, kind=NoticeKind.REFUSED):
            tally.looked_at += 1
        else:
            tally.notes.append(f"{name} takes no effect that could be announced")


def _takes_effect(heard: Heard) -> bool:
    """Say whether what a step asked for will happen: what lacks a proof has not begun to wait."""
    unproved = Reason.PROOF_NEEDED in heard.codes
    return bool(heard.action_id) and not heard.refused and not unproved


async def _all_told(
    stage: Stage,
    channels: set[str],
    offers: set[str],
    *,
    about: str = "",
    kind: NoticeKind | None = None,
) -> bool:
    """Say whether a letter about an action, or of a kind, with its offer went to each channel."""

    def told(letters: tuple[Letter, ...]) -> bool:
        fitting = (
            one
            for one in letters
            if (one.action_id == about if kind is None else one.kind is kind)
            and one.kind is not NoticeKind.CODE
            and all(_offers(one, offer) for offer in offers)
        )
        return channels <= {one.channel for one in fitting}

    return await stage.venue.mailbox.wait_for(stage.customer.account_id, told)


def _offers(letter: Letter, offer: str) -> bool:
    """Say whether a letter offers what it should: a veto only where something waits."""
    if offer == "freeze":
        return bool(letter.freeze)
    return letter.kind is not NoticeKind.WAITING or bool(letter.veto)


# --- Spending once ---


async def exactly_once(replay: Replay, check: ExactlyOnce, tally: Tally) -> None:
    """Spend and sign one withdrawal many times at once, in its step's weather: one may succeed."""
    if check.parallel > PARALLEL_MOST:
        raise NotPlayableError(f"parallel: an account is asked {PARALLEL_MOST} times at once")
    stage = await replay.fresh(replay.steps, old=(OLD_ADDR,))
    step = await play_until(stage, replay.steps, check.of)
    tried = await spend_at_once(stage, step, check.parallel)
    tally.looked_at = check.parallel
    spent, signed = tried.said.count(SPENT), tried.signed.count(True)
    if spent != 1:
        tally.wrong.append(f"{spent} of {check.parallel} spends succeeded")
    if signed != 1:
        tally.wrong.append(f"{signed} of {check.parallel} were signed")
    strange = sorted(set(tried.said) - {SPENT, "already_spent"})
    tally.wrong += [f"a spend was answered {one}" for one in strange]
