"""The wallet at the end of the line: what its signer signs when somebody wants a signature.

A step with ``call: spend`` is no proposal. Somebody upstream of the signer has a transaction, and
whatever authorization there is; ``allow`` means that the signer would sign. The signer is the one
that wallets import (``twinlock.signer``): it has followed the log since before the first step, and
believes its trust file, its own clock and its own memory.
"""

from dataclasses import replace
from typing import Any

import msgspec

from twinlock.client import ProblemError
from twinlock.domain.actions import ActionType
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import encode
from twinlock.domain.errors import SignerRefusedError
from twinlock.domain.money import parse_amount
from twinlock.domain.policy.profile import make_policy
from twinlock.range.customer import NotPlayableError
from twinlock.range.playing import play
from twinlock.range.stage import ASSET, MAX_FEE, Heard, Stage
from twinlock.range.story import Step
from twinlock.range.weather import Dependency
from twinlock.range.words import Outcome
from twinlock.signer import SignerFault, Transaction


def is_for_the_wallet(step: Step) -> bool:
    """Say whether this step asks for a signature instead of a decision."""
    return step.given.get("call") == "spend"


async def sign_and_send(stage: Stage, step: Step) -> Heard:
    """Ask the wallet for the signature that ``step`` wants, with the authorization it says."""
    told = str(step.given.get("authorization", "absent"))
    if told not in _WANTED:
        raise NotPlayableError(f"an authorization {told!r}: not understood here")
    if told == "valid" and stage.outage_state == "down":
        return await _in_every_outage(stage, step)
    return await _WANTED[told](stage, step)


async def _in_every_outage(stage: Stage, step: Step) -> Heard:
    """Try once with each dependency down; the mildest answer counts."""
    heard = []
    for dependency in stage.outage:
        authorized = await _authorized(stage, step)
        stage.venue.weather.down.add(dependency)
        try:
            said = await _spent_and_signed(stage, step, authorized)
        finally:
            stage.venue.weather.clear()
        codes = tuple(f"{dependency.value} down: {code}" for code in said.codes)
        heard.append(replace(said, codes=codes))
    codes = tuple(code for one in heard for code in one.codes)
    allowed = [one for one in heard if one.outcome is Outcome.ALLOW]
    return replace(allowed[0] if allowed else heard[0], codes=codes)


# --- With each kind of authorization ---


async def _absent(stage: Stage, step: Step) -> Heard:
    """Nothing was proved: the platform proposes, spends, and goes to the wallet all the same."""
    proposed = await stage.customer.propose(ActionType.WITHDRAWAL_CRYPTO, _payload(stage, step))
    return await _spent_and_signed(stage, step, proposed)


async def _valid(stage: Stage, step: Step) -> Heard:
    authorized = await _authorized(stage, step)
    if stage.outage_state == "slow":
        stage.venue.weather.slow.add(Dependency.DATABASE)
    try:
        return await _spent_and_signed(stage, step, authorized)
    finally:
        stage.venue.weather.clear()


async def _for_another_place(stage: Stage, step: Step) -> Heard:
    """The authorization is for the old address; the transaction pays the one of the step."""
    honest = {**step.given, "destination": "old_addr"}
    authorized = await _authorized(stage, step, given=honest)
    heard = await _spent_and_signed(stage, step, authorized)
    return _for_this_reason(heard, SignerFault.OTHER_ADDRESS)


async def _for_another_amount(stage: Stage, step: Step) -> Heard:
    """The authorization is for a small sum; the transaction pays the one of the step."""
    honest = {**step.given, "amount": "small"}
    authorized = await _authorized(stage, step, given=honest)
    heard = await _spent_and_signed(stage, step, authorized)
    return _for_this_reason(heard, SignerFault.OTHER_AMOUNT)


def _for_this_reason(heard: Heard, fault: SignerFault) -> Heard:
    """Return a refusal for the reason that the step is about; another one would show nothing."""
    if heard.outcome is Outcome.DENY and fault not in heard.codes:
        raise NotPlayableError(f"refused before it mattered: {', '.join(heard.codes)}")
    return heard


async def _under_older_policy(stage: Stage, step: Step) -> Heard:
    """A newer policy version is in force at the wallet than the one that decided."""
    authorized = await _authorized(stage, step)
    policy = stage.policy
    newer = make_policy(
        version=policy.name.version + 1, profile=policy.profile, assets=policy.assets
    )
    wallet = stage.wallet
    in_force = wallet.settings
    wallet.settings = replace(in_force, policies=frozenset({newer.name.digest}))
    try:
        heard = await _spent_and_signed(stage, step, authorized)
    finally:
        wallet.settings = in_force
    return _for_this_reason(heard, SignerFault.STALE_POLICY)


async def _spent_before(stage: Stage, step: Step) -> Heard:
    """It was spent and signed; now somebody wants it spent and signed a second time."""
    authorized = await _authorized(stage, step)
    first = await _spent_and_signed(stage, step, authorized)
    if first.outcome is not Outcome.ALLOW:
        raise NotPlayableError(f"nothing was spent before: {', '.join(first.codes)}")
    again = await _spent_and_signed(stage, step, authorized)
    if again.outcome is Outcome.ALLOW or not step.proof:
        return again
    replay = await play(stage, _as_a_proposal(step))
    return replay if replay.outcome is Outcome.ALLOW else again


def _as_a_proposal(step: Step) -> Step:
    """Return the same step as a new proposal: what was shown for the first is shown again."""
    given = {key: step.given[key] for key in step.given if key not in ("call", "authorization")}
    return msgspec.structs.replace(step, given=given)


# --- From an authorization to a signature ---


async def _authorized(stage: Stage, step: Step, *, given: dict[str, Any] | None = None) -> Answered:
    proposed = await stage.customer.propose(
        ActionType.WITHDRAWAL_CRYPTO, _payload(stage, step, given)
    )
    answered = proposed if proposed.authorization else await stage.customer.prove_best(proposed)
    if not answered.authorization:
        said = answered.answer.value
        raise NotPlayableError(f"the authorization that the step needs was not given: {said}")
    return answered


async def _spent_and_signed(stage: Stage, step: Step, answered: Answered) -> Heard:
    """Spend, fetch the evidence, and show both to the signer with the transaction of the step."""
    wallet, client = stage.wallet, stage.venue.client
    said: list[str] = []
    try:
        spent = await client.spend(answered.action_id, spend_id=stage.next_spend_id())
        said += [why.code.value for why in spent.why]
    except ProblemError as problem:
        said.append(problem.code)
    try:
        bundle = encode(await client.evidence(answered.action_id, consistent_from=wallet.size))
    except ProblemError as problem:
        said.append(problem.code)
        bundle = b""
    transaction, cents = _transaction(stage, step)
    try:
        cleared = wallet.sign(bundle, transaction, now=stage.venue.now)
    except SignerRefusedError as refused:
        codes = tuple(dict.fromkeys((str(refused.fault), *said)))
        return Heard(outcome=Outcome.DENY, codes=codes, sentence=str(refused))
    if cleared.replaces:  # The same payment once more, in place of the first: nothing new leaves.
        return Heard(outcome=Outcome.DENY, codes=tuple(dict.fromkeys((*said, "signed_before"))))
    return Heard(outcome=Outcome.ALLOW, taken_cents=stage.take(cents))


def _payload(stage: Stage, step: Step, given: dict[str, Any] | None = None) -> dict[str, Any]:
    given = step.given if given is None else given
    asset = stage.asset(str(given.get("asset", ASSET)))
    amount, _ = stage.amount(given.get("amount", "small"), asset)
    return {
        "asset": asset.symbol,
        "network": asset.network,
        "address": stage.places.address(str(given.get("destination", "old_addr"))),
        "amount": amount,
        "max_fee": MAX_FEE,
    }


def _transaction(stage: Stage, step: Step) -> tuple[Transaction, int]:
    """Return the transaction that the step wants signed, as the wallet reads it, and its cents."""
    asset = stage.asset(str(step.given.get("asset", ASSET)))
    amount, cents = stage.amount(step.given.get("amount", "small"), asset)
    transaction = Transaction(
        account=stage.customer.account_id,
        asset=asset.symbol,
        network=asset.network,
        contract=asset.contract,
        address=stage.places.address(str(step.given.get("destination", "old_addr"))),
        memo="",
        amount_minor=parse_amount(amount, decimals=asset.decimals),
        fee_minor=0,
        value_cents=cents,
    )
    return transaction, cents


_WANTED = {
    "absent": _absent,
    "valid": _valid,
    "spent_before": _spent_before,
    "for_old_addr": _for_another_place,
    "for_small": _for_another_amount,
    "under_older_policy": _under_older_policy,
}
