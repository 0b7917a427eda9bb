"""What a file gives an account and Twinlock does not have yet: told always, and never imitated.

Always true (tests/unit/range/test_account_words.py): the account is played without such a word, the
replay says so to whoever reads it, and a demand that rests on one is not playable: what it came to
would show nothing of what it is about.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from twinlock.range.story import AccountSpec, Step
from twinlock.range.words import Capability, Proof

SUBACCOUNTS = "account.subaccounts are kept by the platform; moving value to one is an exit"
SHARED = "account.shared_roots: whoever took one of {} has taken all"
_CAPABILITY = {"email": Capability.EMAIL_FULL, "sms": Capability.SMS_RECEIVE}
ANY = "account.any: played on the account that is described"


def _shows(step: Step, proof: Proof) -> bool:
    return any(one.proof is proof for one in step.showings)


def _uses_identity(_: AccountSpec, step: Step) -> bool:
    return _shows(step, Proof.CHIP_LIVE)


_USES: MappingProxyType[str, Callable[[AccountSpec, Step], bool]] = MappingProxyType(
    {
        "enrolled_identity": _uses_identity,
    }
)


def not_set_up(spec: AccountSpec) -> tuple[str, ...]:
    """Return what people are told of the account: what it is played without."""
    notes = [f"account.{word} is not built; played without" for word in _given(spec)]
    notes += [f"account.api_keys: {word} is kept by the platform" for word in spec.words_of_keys]
    notes += [SUBACCOUNTS] if spec.subaccounts else []
    notes += [SHARED.format(" and ".join(roots)) for roots in spec.shared_roots]
    return (*notes, ANY) if spec.any else tuple(notes)


def taken_with(spec: AccountSpec, held: frozenset[Capability]) -> frozenset[Capability]:
    """Return what a thief holds of the channels of an account: of one root, all or nothing.

    Prevents: a telephone that is taken, and a mailbox read on it that counts as not taken.
    """
    for roots in spec.shared_roots:
        channels = {_CAPABILITY[one] for one in roots if one in _CAPABILITY}
        held |= channels if held & channels else frozenset()
    return held


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
