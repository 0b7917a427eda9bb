"""What a verified entry says, in words: one honest sentence, and the payload as people read it.

Always true (tests/unit/cli/test_verdict.py): every kind of entry with every answer has a sentence,
and only a yes reads like one. Of a payload only empty members are left out.
"""

from typing import assert_never

import msgspec

from twinlock.domain.actions import AnyPayload, class_of, type_of
from twinlock.domain.authorization import SPEND_ENTRY
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.exits import AnyExit, Exit, WithdrawalCrypto
from twinlock.domain.money import format_amount, minor_units
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundles import VETO, VerifiedBundle


def verdict(verified: VerifiedBundle) -> str:
    """Return in one sentence what the entry says of its action."""
    name, said = type_of(verified.payload), verified.answer
    if verified.type == VETO:
        return f"{name} was {'vetoed' if said is Answer.ALLOW else f'not vetoed: {said.value}'}"
    if verified.type == SPEND_ENTRY:
        spent = f"{name} was authorized and spent"
        return spent if verified.spent else f"{name} was not spent: {said.value}"
    sentence = f"{name} {_said(said, leaves=class_of(verified.payload) is ActionClass.EXIT)}"
    return f"{sentence} ({', '.join(verified.reasons)})" if verified.reasons else sentence


def _said(answer: Answer, *, leaves: bool) -> str:
    match answer:
        case Answer.ALLOW if leaves:
            return "was authorized, and not spent by this entry"
        case Answer.ALLOW:
            return "was allowed and took effect"
        case Answer.READ_ONLY:
            return "was allowed to look, freeze and veto, and nothing else"
        case Answer.CHALLENGE:
            return "was not allowed yet: a proof was missing"
        case Answer.HOLD:
            return "was held: it was not allowed before a later time"
        case Answer.REVIEW:
            return "was not allowed yet: people had to agree"
        case Answer.DENY:
            return "was not allowed: it was refused, or had lapsed"
        case _:
            assert_never(answer)


def payload_lines(payload: AnyPayload) -> list[tuple[str, str]]:
    """Return name and value of every member of ``payload`` that is not empty.

    An amount is told in whole units of its asset first: the payload names both, and the decimals.
    So is the fee of the network's own coin; beside another asset nothing verified names that coin.
    """
    members: dict[str, object] = msgspec.to_builtins(payload)
    told = {name: _value(value) for name, value in members.items()}
    if isinstance(payload, Exit):
        told["amount_minor"] = _amount(told["amount_minor"], payload)
    if "max_fee_minor" in told and isinstance(payload, Exit):
        told["max_fee_minor"] = _fee(told["max_fee_minor"], payload)
    return [(name, value) for name, value in told.items() if value]


def spend_lines(verified: VerifiedBundle) -> list[tuple[str, str]]:
    """Return id and fee of the spend that the entry is; of any other entry nothing."""
    if not verified.spend_id or not isinstance(verified.payload, Exit):
        return []
    fee = _fee(verified.fee_minor, verified.payload)
    return [("spend_id", verified.spend_id), ("fee_minor", fee)]


def _fee(minor: str, payload: AnyExit) -> str:
    coin = f"{minor} of the smallest units of the network's own coin"
    token = isinstance(payload, WithdrawalCrypto) and bool(payload.contract)
    return coin if token else _amount(minor, payload)


def _amount(minor: str, payload: AnyExit) -> str:
    whole = format_amount(minor_units(minor), decimals=payload.decimals)
    return f"{whole} {payload.asset} ({minor})"


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
