"""What a file gives an account and Twinlock does not have yet: told always, and never imitated.

Always true (tests/unit/range/test_account_words.py): the account is played without such a word, the
replay says so to whoever reads it, and a demand that rests on one is not playable: what it came to
would show nothing of what it is about.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType

import msgspec

from twinlock.range.story import AccountSpec, Step
from twinlock.range.words import MAKES, Capability, Mark, Proof

SUBACCOUNTS = "account.subaccounts are kept by the platform; moving value to one is an exit"
SHARED = "account.shared_roots: whoever took one of {} has taken all"
_CAPABILITY = {  # By what a root is of: an authenticator, or a channel on which codes are read.
    **{proof.value: held for held, proof in MAKES.items()},
    "email": Capability.EMAIL_FULL,
    "sms": Capability.SMS_RECEIVE,
}
SAVED = "a saved code is shown: the owner saved a set when the account was opened"
ANY = "account.any: played on one with {}"


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
    notes += [ANY.format(" and ".join(spec.authenticators))] if spec.any else []
    return tuple(notes)


def taken_with(spec: AccountSpec, held: frozenset[Capability]) -> frozenset[Capability]:
    """Return what a thief holds of an account: of what has one root, all or nothing.

    Prevents: a telephone that is taken, and a mailbox read on it that counts as not taken.
    """
    shared = [
        {_CAPABILITY[one] for one in roots if one in _CAPABILITY} for roots in spec.shared_roots
    ]
    for of_one_root in shared * len(shared):  # What one root gives may be of another one, too.
        held |= of_one_root if held & of_one_root else frozenset()
    return held


def with_saved_codes(
    spec: AccountSpec, steps: Sequence[Step], *, shown: frozenset[str] = frozenset()
) -> AccountSpec:
    """Return ``spec`` with a set of saved codes, where a step or a check shows one and it has none.

    Saved codes are what an account has beside its authenticators, so few files list them there.
    """
    saved = Proof.RECOVERY_CODE
    used = saved in shown or any(
        one.proof is saved and one.mark is not Mark.NEW for it in steps for one in it.showings
    )
    if not used or saved in spec.authenticators:
        return spec
    return msgspec.structs.replace(spec, authenticators=(*spec.authenticators, saved))


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
