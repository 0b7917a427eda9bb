"""The owner's own limits and locks in the words of files.

Always true (tests/unit/range/test_own_words.py): a word that has no meaning is told, never left
out.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from twinlock.domain.catalogue import ActionType
from twinlock.range.customer import NotPlayableError
from twinlock.range.stage import Stage
from twinlock.range.story import Step
from twinlock.range.words import parse_length

LIMITS = (ActionType.LIMIT_RAISE, ActionType.LIMIT_LOWER)
LOCKS = (ActionType.LOCK_TIGHTEN, ActionType.LOCK_LOOSEN)
UNDERSTOOD: dict[str, frozenset[str]] = {
    **dict.fromkeys(LIMITS, frozenset({"to", "per"})),
    **dict.fromkeys(LOCKS, frozenset({"to", "delay", "strict", "both_keys"})),
}
DAY = timedelta(days=1)


def limit_payload(stage: Stage, step: Step) -> dict[str, Any]:
    """Return the limits that ``step`` wants: of a day, or of a destination; the other as it is.

    Raises:
        NotPlayableError: it names no sum that has a meaning.
    """
    word = step.given.get("to", "all" if step.do == ActionType.LIMIT_RAISE else None)
    if word is None:
        raise NotPlayableError(f"{step.do} names no sum")
    cents = stage.whole_cents(word)
    match step.given.get("per", "day"):
        case "day":
            # Where somebody agrees above the owner's limit, that is the limit which is meant too.
            agreed = {"agreement_cents": cents} if stage.spec.contacts else {}
            return {"day_cents": cents, **agreed}
        case "destination":
            return {"destination_cents": cents}
        case other:
            raise NotPlayableError(f"{step.do} per {other!r}: not understood here")


def lock_payload(step: Step) -> dict[str, Any]:
    """Return the lock that ``step`` wants. Raises NotPlayableError: its delay is no whole days."""
    said = str(step.given.get("delay", step.given.get("to", "0d" if _loosens(step) else "1d")))
    return {"days": lock_days(said), **lock_kind(step.given)}


def lock_kind(said: Mapping[str, Any]) -> dict[str, bool]:
    """Return what keys mean for a lock: they spare its wait, or both are needed beside it.

    Raises:
        NotPlayableError: one of the words is neither yes nor no, or a lock that is not strict takes
            both keys.
    """
    for word in ("strict", "both_keys"):
        if not isinstance(said.get(word, True), bool):
            raise NotPlayableError(f"{word} is yes or no")
    spared, both = said.get("strict") is False, said.get("both_keys") is True
    if spared and both:
        raise NotPlayableError("a lock of both keys is strict")
    return {"two_keys": spared, **({"both_keys": True} if both else {})}


def _loosens(step: Step) -> bool:
    return step.do == ActionType.LOCK_LOOSEN


def lock_days(text: str) -> int:
    """Return a delay such as ``"7d"`` in days. Raises NotPlayableError."""
    try:
        delay = parse_length(text)
    except ValueError as why:
        raise NotPlayableError(f"a lock of {text!r}: {why}") from why
    if delay % DAY:
        raise NotPlayableError(f"a lock of {text!r}: locks are of whole days")
    return delay // DAY
