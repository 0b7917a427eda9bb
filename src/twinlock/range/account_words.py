"""What a file gives an account and Twinlock does not have yet: told always, and never imitated.

Always true (tests/unit/range/test_account_words.py): the account is played without such a word, the
replay says so to whoever reads it, and a demand that rests on one is not playable: what it came to
would show nothing of what it is about.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from twinlock.domain.catalogue import ActionType
from twinlock.range.customer import CODE_CHANNELS
from twinlock.range.story import AccountSpec, Step
from twinlock.range.words import THIEVES, Proof

ANY = "account.any: played on the account that is described"


def _shows(step: Step, proof: Proof) -> bool:
    return any(one.proof is proof for one in step.showings)


def _uses_subaccount(_: AccountSpec, step: Step) -> bool:
    return step.do == ActionType.TRANSFER_SUBACCOUNT


def _uses_contact(_: AccountSpec, step: Step) -> bool:
    # Whom the owner chose must agree to what is above the limit.
    return _shows(step, Proof.TRUSTED_CONTACT) or step.given.get("amount") == "above_limit"


def _uses_identity(_: AccountSpec, step: Step) -> bool:
    return _shows(step, Proof.CHIP_LIVE)


def _uses_shared_root(spec: AccountSpec, step: Step) -> bool:
    if step.by not in THIEVES:  # Whoever owns both channels has both; who took one root has too.
        return False
    shown = {CODE_CHANNELS[one.proof] for one in step.showings if one.proof in CODE_CHANNELS}
    return any(len(shown & set(roots)) > 1 for roots in spec.shared_roots)


_USES: MappingProxyType[str, Callable[[AccountSpec, Step], bool]] = MappingProxyType(
    {
        "subaccounts": _uses_subaccount,
        "trusted_contacts": _uses_contact,
        "enrolled_identity": _uses_identity,
        "shared_roots": _uses_shared_root,
    }
)


def not_set_up(spec: AccountSpec) -> tuple[str, ...]:
    """Return what people are told of the account: what it is played without."""
    notes = [f"account.{word} is not built; played without" for word in _given(spec)]
    notes += [f"account.api_keys: {word} is kept by the platform" for word in spec.words_of_keys]
    return (*notes, ANY) if spec.any else tuple(notes)


def rests_on(spec: AccountSpec, steps: Sequence[Step], *, story: AccountSpec) -> tuple[str, ...]:
    """Return the words that a demand rests on: its own account has them, or a step uses them."""
    return tuple(
        word
        for word in _given(spec)
        if getattr(spec, word) != getattr(story, word)
        or any(_USES[word](spec, step) for step in steps)
    )


def _given(spec: AccountSpec) -> list[str]:
    return [word for word in _USES if getattr(spec, word)]
