"""Checks of what can be shown afterwards: entries with their proof, notices, spending once.

What is shown offline is checked by the verifier that strangers use, against a trust file and
nothing else (``twinlock.proofs.bundles``).
"""

import asyncio
from datetime import datetime
from typing import Any

from twinlock.client import ProblemError
from twinlock.domain.actions import ActionType, DestinationAdd
from twinlock.domain.canonical import encode
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.notices import NoticeKind
from twinlock.proofs.bundles import VerifiedBundle, verify_bundle
from twinlock.range.acts import live_session
from twinlock.range.customer import NotPlayableError
from twinlock.range.mailbox import Letter
from twinlock.range.replay import Replay
from twinlock.range.results import CheckResult
from twinlock.range.setting_up import withdraw
from twinlock.range.stage import ASSET, MAX_FEE, NETWORK, Stage
from twinlock.range.steps import play_steps
from twinlock.range.story import Check
from twinlock.range.words import Person

PARALLEL_MOST = 100  # As many as one account may be asked in one go.
NO_DEVICE_KEY = (
    "device_key: the entry commits to the session's signature, but a bundle shows those of "
    "passkeys only"
)


# --- Entries ---


async def entry_provable(replay: Replay, check: Check) -> CheckResult:
    """Look at who added what to the list, and let a stranger check it."""
    if check.given.get("of") != "destinations":
        raise NotPlayableError(f"entry_provable of {check.given.get('of')!r}: not understood here")
    if "imported" in check.given:
        return await _imported(replay, check)
    return await _shown(replay, check)


async def _imported(replay: Replay, check: Check) -> CheckResult:
    stage = await replay.fresh()
    listed = await stage.venue.client.destinations(stage.customer.account_id)
    imported = [one for one in replay.spec.destinations.entries if not one.signed]
    wrong = []
    for entry in imported:
        address = stage.places.address(entry.name)
        found = next((one for one in listed if one["address"] == address), None)
        if found is None:
            wrong.append(f"{entry.name} is not on the list")
        elif found["added_by"] or found["proved_by"] or found["usable_at"]:
            wrong.append(f"{entry.name} counts as proved by somebody")
    if not imported:
        raise NotPlayableError("the account lists nothing that was imported")
    return CheckResult(name=check.name.value, looked_at=len(imported), wrong=tuple(wrong))


async def _shown(replay: Replay, check: Check) -> CheckResult:
    stage = await replay.fresh()
    shows = [str(one) for one in check.given.get("shows", [])]
    listed = await _add_signed(stage)
    wrong = [f"the list does not show {one}" for one in shows if not _on_the_list(listed, one)]
    if check.given.get("verifier") != "offline":
        return CheckResult(name=check.name.value, looked_at=len(shows), wrong=tuple(wrong))
    bundle = await stage.venue.client.evidence(listed["added_by"])
    try:
        verified = verify_bundle(encode(bundle), trust=stage.venue.trust)
    except BundleRefusedError as refused:
        wrong.append(f"the evidence does not verify: {refused}")
        return CheckResult(name=check.name.value, looked_at=len(shows), wrong=tuple(wrong))
    wrong += _contradictions(stage, listed, verified)
    missing = (NO_DEVICE_KEY,) if "device_key" in shows and not verified.assertions else ()
    return CheckResult(
        name=check.name.value, looked_at=len(shows), wrong=tuple(wrong), not_playable=missing
    )


async def _add_signed(stage: Stage) -> dict[str, Any]:
    """List a destination in a signed session, wait, and return how it stands on the list."""
    address = stage.places.address("provable_addr")
    session = await live_session(stage, Person.ALICE)
    proposed = await stage.customer.propose(
        ActionType.DESTINATION_ADD, {"network": NETWORK, "address": address}, session=session
    )
    answered = await stage.customer.prove_best(proposed)
    await stage.venue.set_forward(answered.until or stage.venue.now)
    await withdraw(stage.customer, address, prove=False)
    listed = await stage.venue.client.destinations(stage.customer.account_id)
    return next(one for one in listed if one["address"] == address)


def _on_the_list(listed: dict[str, Any], what: str) -> bool:
    told = {"who": "added_by", "when": "added_at", "proof": "proved_by", "device_key": "added_by"}
    return what in told and bool(listed[told[what]])


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


async def notice_before_effect(replay: Replay, check: Check) -> CheckResult:
    """Play the attack, and look for word on every channel of whatever was told a wait or a yes."""
    story = replay.story
    stage = await replay.fresh(story.steps)
    await play_steps(stage, story.steps, judged=False)
    channels = {str(one) for one in check.given.get("channels", stage.spec.channels)}
    wrong = []
    named = [str(one) for one in check.given.get("of", [])]
    for step_id in named:
        heard = stage.heard.get(step_id)
        if heard is None or heard.refused or not heard.action_id:
            continue  # Nothing of it will take effect.
        if not await _all_told(stage, heard.action_id, channels):
            wrong.append(f"{step_id} was not announced on every channel")
    offers = check.given.get("offers", "veto")
    missing = () if offers == "veto" else (f"offers {offers}: letters carry a veto, and no more",)
    return CheckResult(
        name=check.name.value, looked_at=len(named), wrong=tuple(wrong), not_playable=missing
    )


async def _all_told(stage: Stage, action_id: str, channels: set[str]) -> bool:
    def told(letters: tuple[Letter, ...]) -> bool:
        about = (one for one in letters if one.action_id == action_id)
        return channels <= {one.channel for one in about if one.kind is not NoticeKind.CODE}

    return await stage.venue.mailbox.wait_for(stage.customer.account_id, told)


# --- Spending once ---


async def exactly_once(replay: Replay, check: Check) -> CheckResult:
    """Spend one authorized withdrawal many times at once: one may succeed, and stays the one."""
    times = min(int(check.given.get("parallel", PARALLEL_MOST)), PARALLEL_MOST)
    stage = await replay.fresh(old_addr=True)
    proposed = await stage.customer.propose(ActionType.WITHDRAWAL_CRYPTO, _small(stage))
    answered = await stage.customer.prove_best(proposed)
    if not answered.authorization:
        raise NotPlayableError("the withdrawal that would be spent was not authorized")
    spends = (_spend_once(stage, answered.action_id, f"parallel-{n:04d}") for n in range(times))
    said = await asyncio.gather(*spends)
    spent = [one for one in said if one == "spent"]
    strange = sorted(set(said) - {"spent", "already_spent"})
    wrong = [] if len(spent) == 1 else [f"{len(spent)} of {times} spends succeeded"]
    wrong += [f"a spend was answered {one}" for one in strange]
    return CheckResult(name=check.name.value, looked_at=times, wrong=tuple(wrong))


async def _spend_once(stage: Stage, action_id: str, spend_id: str) -> str:
    try:
        return (await stage.venue.client.spend(action_id, spend_id=spend_id)).state
    except ProblemError as problem:
        return problem.code


def _small(stage: Stage) -> dict[str, Any]:
    return {
        "asset": ASSET,
        "network": NETWORK,
        "address": stage.places.address("old_addr"),
        "amount": "5",
        "max_fee": MAX_FEE,
    }
