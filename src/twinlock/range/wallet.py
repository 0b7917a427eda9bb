"""The wallet at the end of the line: what its signer signs when somebody wants a signature.

A withdrawal with ``call: spend`` is no proposal. Somebody upstream of the signer has a transaction,
and whatever authorization there is; ``allow`` means that the signer would sign. The signer is the
one that wallets import (``twinlock.signer``): it has followed the log since before the first step,
and believes its trust file, its own clock and its own memory.

Always true (tests/unit/range/test_wallet.py): what makes an authorization is what the step lists as
proof, and nothing else.
"""

import asyncio
from dataclasses import replace
from typing import NamedTuple

import msgspec

from twinlock.client import ProblemError
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import ActionType
from twinlock.domain.errors import SignerRefusedError
from twinlock.domain.money import parse_amount
from twinlock.domain.policy.version import Policy
from twinlock.range.acts import SPEND, Act, act_of, exits
from twinlock.range.customer import NotPlayableError
from twinlock.range.playing import Put, play, put_forward
from twinlock.range.refusals import UNAVAILABLE, refusal
from twinlock.range.stage import Heard, Stage
from twinlock.range.story import Step
from twinlock.range.words import Mark, Outcome
from twinlock.signer import SignerFault, Transaction

SPENT, SIGNED_BEFORE = "spent", "signed_before"


def is_for_the_wallet(step: Step) -> bool:
    """Say whether this step asks for a signature instead of a decision."""
    return step.do == ActionType.WITHDRAWAL_CRYPTO and step.given.get("call") == SPEND


async def sign_and_send(stage: Stage, step: Step) -> Heard:
    """Ask the wallet for the signature that ``step`` wants, with the authorization it says."""
    told = str(step.given.get("authorization", "valid" if step.proof else "absent"))
    if told not in _WANTED:
        raise NotPlayableError(f"an authorization {told!r}: not understood here")
    if stage.outage_state != "down":
        return await _WANTED[told](stage, step)
    if told != "valid":
        raise NotPlayableError("while what decisions lean on is down, a valid one is tried only")
    return await _in_every_outage(stage, step)


async def _in_every_outage(stage: Stage, step: Step) -> Heard:
    """Try once with each dependency down; the mildest answer counts."""
    heard = []
    for dependency in stage.outage:
        authorized = await authorize(stage, step)
        stage.venue.weather.down.add(dependency)
        try:
            said = await _spent_and_signed(stage, step, authorized)
        finally:
            stage.venue.weather.let_decide()
        codes = tuple(f"{dependency.value} down: {code}" for code in said.codes)
        heard.append(replace(said, codes=codes))
    codes = tuple(code for one in heard for code in one.codes)
    allowed = [one for one in heard if one.outcome is Outcome.ALLOW]
    return replace(allowed[0] if allowed else heard[0], codes=codes)


class Tried(NamedTuple):
    """Many tries at one withdrawal: what each spend was answered, and which were signed."""

    said: tuple[str, ...]
    signed: tuple[bool, ...]


async def spend_at_once(stage: Stage, step: Step, times: int) -> Tried:
    """Authorize the withdrawal of ``step`` once, and spend it ``times`` times at once.

    Then everybody who tried shows the evidence to the signer.

    Raises:
        NotPlayableError: it is no withdrawal, or cannot be authorized.
    """
    if step.do != ActionType.WITHDRAWAL_CRYPTO or stage.outage_state == "down":
        raise NotPlayableError(f"{step.id} is no withdrawal that could be spent")
    if step.given.get("authorization", "valid") != "valid":
        raise NotPlayableError(f"the authorization of {step.id} is not a valid one")
    authorized = (await authorize(stage, step)).answered
    said = await asyncio.gather(*(_spend(stage, authorized) for _ in range(times)))
    bundle = await _evidence(stage, authorized)
    signed = [_signed(stage, step, bundle).outcome is Outcome.ALLOW for _ in range(times)]
    return Tried(tuple(one[0] for one in said), tuple(signed))


# --- With each kind of authorization ---


async def _absent(stage: Stage, step: Step) -> Heard:
    """Nothing was proved: the platform proposes, spends, and goes to the wallet all the same."""
    put = await _put(stage, step)
    if step.proof and put.answered.authorization:
        raise NotPlayableError("what was proved does not leave an authorization absent")
    return await _spent_and_signed(stage, step, put)


async def _valid(stage: Stage, step: Step) -> Heard:
    return await _spent_and_signed(stage, step, await authorize(stage, step))


async def _for_another_place(stage: Stage, step: Step) -> Heard:
    """The authorization is for the old address; the transaction pays the one of the step."""
    honest = msgspec.structs.replace(step, given={**step.given, "destination": "old_addr"})
    authorized = await authorize(stage, honest)
    heard = await _spent_and_signed(stage, step, authorized)
    return _for_this_reason(heard, SignerFault.OTHER_ADDRESS)


async def _for_another_amount(stage: Stage, step: Step) -> Heard:
    """The authorization is for a small sum; the transaction pays the one of the step."""
    honest = msgspec.structs.replace(step, given={**step.given, "amount": "small"})
    authorized = await authorize(stage, honest)
    heard = await _spent_and_signed(stage, step, authorized)
    return _for_this_reason(heard, SignerFault.OTHER_AMOUNT)


def _for_this_reason(heard: Heard, fault: SignerFault) -> Heard:
    """Return a refusal for the reason that the step is about; another one would show nothing."""
    if heard.outcome is Outcome.DENY and fault not in heard.codes:
        raise NotPlayableError(f"refused before it mattered: {', '.join(heard.codes)}")
    return heard


async def _under_older_policy(stage: Stage, step: Step) -> Heard:
    """A newer policy version is in force at the wallet than the one that decided."""
    authorized = await authorize(stage, step)
    policy = stage.policy
    newer = Policy(msgspec.structs.replace(policy.draft, version=policy.name.version + 1))
    wallet = stage.wallet
    in_force = wallet.settings
    wallet.settings = replace(in_force, policies=frozenset({newer.name.digest}))
    try:
        heard = await _spent_and_signed(stage, step, authorized)
    finally:
        wallet.settings = in_force
    return _for_this_reason(heard, SignerFault.STALE_POLICY)


async def _spent_before(stage: Stage, step: Step) -> Heard:
    """It was spent and signed; now somebody wants it spent and signed a second time.

    A proof that the step lists as spent is the one that made the authorization.
    """
    fresh = tuple(one.removesuffix(f"@{Mark.SPENT.value}") for one in step.proof)
    authorized = await authorize(stage, msgspec.structs.replace(step, proof=fresh))
    first = await _spent_and_signed(stage, step, authorized)
    if first.outcome is not Outcome.ALLOW:
        raise NotPlayableError(f"nothing was spent before: {', '.join(first.codes)}")
    again = await _spent_and_signed(stage, step, authorized)
    shown_again = any(one.mark is Mark.SPENT for one in step.showings)
    if again.outcome is Outcome.ALLOW or not shown_again:
        return again
    replay = await play(stage, _as_a_proposal(step))
    return replay if replay.outcome is Outcome.ALLOW else again


def _as_a_proposal(step: Step) -> Step:
    """Return the same step as a new proposal: what was shown for the first is shown again."""
    given = {key: step.given[key] for key in step.given if key not in ("call", "authorization")}
    return msgspec.structs.replace(step, given=given)


# --- From an authorization to a signature ---


async def authorize(stage: Stage, step: Step) -> Put:
    """Return what the proofs that ``step`` lists, and no others, have authorized.

    Raises:
        NotPlayableError: they do not authorize it, so there is nothing to sign with.
    """
    put = await _put(stage, step)
    if not put.answered.authorization:
        said = put.answered.answer.value
        raise NotPlayableError(f"the authorization that the step needs was not given: {said}")
    return put


async def _put(stage: Stage, step: Step) -> Put:
    try:
        return await put_forward(stage, step, await act_of(stage, step))
    except ProblemError as problem:
        raise NotPlayableError(f"nothing could be authorized: {refusal(problem)}") from problem


async def _spent_and_signed(stage: Stage, step: Step, put: Put) -> Heard:
    """Spend, fetch the evidence, and show both to the signer with the transaction of the step."""
    said = await _spend(stage, put.answered)
    try:
        bundle = await _evidence(stage, put.answered)
    except ProblemError as problem:
        said += (_explained(stage, problem),)
        bundle = b""
    heard = replace(_signed(stage, step, bundle), notes=put.notes)
    if heard.outcome is Outcome.ALLOW:
        return heard
    told = [one for one in said if one != SPENT]
    codes = (*told, *heard.codes) if SIGNED_BEFORE in heard.codes else (*heard.codes, *told)
    return replace(heard, codes=tuple(dict.fromkeys(codes)))


async def _spend(stage: Stage, answered: Answered) -> tuple[str, ...]:
    """Spend an authorization; return that it was, or the reasons why it was not."""
    try:
        now = await stage.venue.client.spend(answered.action_id, spend_id=stage.next_spend_id())
    except ProblemError as problem:
        return (_explained(stage, problem),)
    said = tuple(why.code.value for why in now.why)
    return (SPENT, *said) if now.state == SPENT else said or (now.state,)


async def _evidence(stage: Stage, answered: Answered) -> bytes:
    size = stage.wallet.size
    return encode(await stage.venue.client.evidence(answered.action_id, consistent_from=size))


def _signed(stage: Stage, step: Step, bundle: bytes) -> Heard:
    """Return what the signer says to the transaction of ``step`` with this evidence."""
    [act] = exits(stage, step)
    try:
        cleared = stage.wallet.sign(bundle, _transaction(stage, act), now=stage.venue.now)
    except SignerRefusedError as refused:
        codes = (str(refused.fault),)
        return Heard(outcome=Outcome.DENY, codes=codes, sentence=str(refused))
    if cleared.replaces:  # The same payment once more, in place of the first: nothing new leaves.
        return Heard(outcome=Outcome.DENY, codes=(SIGNED_BEFORE,))
    return Heard(outcome=Outcome.ALLOW, taken_cents=stage.take(act.value_cents))


def _explained(stage: Stage, problem: ProblemError) -> str:
    """Return why a call came to nothing. Raises the problem where no weather explains it."""
    if problem.status == UNAVAILABLE and stage.venue.weather.down:
        return problem.code
    return refusal(problem)


def _transaction(stage: Stage, act: Act) -> Transaction:
    """Return a withdrawal as the wallet reads it."""
    asset = stage.asset(act.payload["asset"], networks=(act.payload["network"],))
    return Transaction(
        account=stage.customer.account_id,
        asset=asset.symbol,
        network=asset.network,
        contract=asset.contract,
        address=act.payload["address"],
        memo="",
        amount_minor=parse_amount(act.payload["amount"], decimals=asset.decimals),
        fee_minor=0,
        value_cents=act.value_cents,
    )


_WANTED = {
    "absent": _absent,
    "valid": _valid,
    "spent_before": _spent_before,
    "for_old_addr": _for_another_place,
    "for_small": _for_another_amount,
    "under_older_policy": _under_older_policy,
}
