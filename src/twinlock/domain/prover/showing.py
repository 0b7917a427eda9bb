"""What can be shown in a place, and what it takes: each thing alone, and what goes together.

Always true (tests/unit/domain/prover/test_model.py): more of it at once than the model tries finds
nothing that the model does not find.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, product
from typing import TypeAlias

import msgspec

from twinlock.domain.account import Shown
from twinlock.domain.assurance import Factor
from twinlock.domain.prover import enrolment, moves
from twinlock.domain.prover.capabilities import Mean
from twinlock.domain.prover.moves import Gain, Place
from twinlock.domain.prover.probing import COOKIE, Shows
from twinlock.domain.requirements import Never, Prove, Requirement, leaves

Proofs: TypeAlias = tuple[Shown, ...]
Together: TypeAlias = tuple[frozenset[str], Proofs]  # What is taken, and what is shown by it.
_ALONE = frozenset({Factor.PASSKEY, Factor.TRUSTED_CONTACT})


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown together, and what it takes."""

    takes: frozenset[str]
    shows: tuple[Shows, ...]


_OWNERS: dict[str, Mean] = {
    enrolment.PASSWORD.authenticator_id: Mean.PASSWORD,
    enrolment.APP.authenticator_id: Mean.TOTP,
    enrolment.PHONE_KEY.authenticator_id: Mean.PHONE_KEY,
    enrolment.BUILT_IN_KEY.authenticator_id: Mean.BUILT_IN_KEY,
    enrolment.ROAMING_KEY.authenticator_id: Mean.ROAMING_KEY,
    enrolment.SAVED.authenticator_id: Mean.SAVED_CODE,
}
_EMAIL, _SMS, _DESKTOP = enrolment.CHANNELS
_READS = {_EMAIL.channel_id: Mean.READ_EMAIL, _SMS.channel_id: Mean.READ_SMS}
_MUTES = {
    _EMAIL.channel_id: Mean.MUTE_EMAIL,
    _SMS.channel_id: Mean.MUTE_SMS,
    _DESKTOP.channel_id: Mean.MUTE_DESKTOP,
}


def units(place: Place) -> tuple[Unit, ...]:
    """Return what can be shown in ``place``, each thing alone, and the codes of all channels."""
    account = place.account
    owners = [
        (_OWNERS[one.authenticator_id], one)
        for one in account.authenticators
        if one.authenticator_id in _OWNERS
    ]
    read = [(_READS[one.channel_id], one) for one in account.channels if one.channel_id in _READS]
    single: list[tuple[str, Shows]] = [
        *owners,
        *read,
        *((Gain.KEY, one) for one in account.authenticators[-1:] if place.has_key),
        (Mean.DEVICE, enrolment.SESSION),
        (Gain.SESSION, moves.OWN_SESSION),
        (Mean.COOKIE, COOKIE),
    ]
    found = [Unit(takes=frozenset({takes}), shows=(shows,)) for takes, shows in single]
    if len(read) > 1:  # Who forgot the password shows a code of each kind.
        takes, shows_all = zip(*read, strict=True)
        found.append(Unit(takes=frozenset(takes), shows=shows_all))
    return tuple(found)


def key_units() -> Iterator[Unit]:
    """Give the API keys: they sign exits and nothing else."""
    for takes, key in (
        (Mean.TRADE_KEY.value, enrolment.TRADE_KEY),
        (Mean.WITHDRAW_KEY.value, enrolment.WITHDRAW_KEY),
        (Gain.API_KEY.value, moves.OWN_API_KEY),
    ):
        yield Unit(takes=frozenset({takes}), shows=(key,))


def told_of(place: Place) -> frozenset[str]:
    """Return what silences everybody who is told of what waits in ``place``."""
    ids = (one.channel_id for one in place.account.channels)
    return frozenset(_MUTES[one].value for one in ids if one in _MUTES)


def asked_for(missing: Requirement) -> tuple[bool, bool]:
    """Say whether proofs of more roots would lift something, and whether further factors would."""
    proofs = [one for one in leaves(missing) if isinstance(one, Prove)]
    nothing = any(isinstance(one, Never) and one.until is None for one in leaves(missing))
    return any(one.roots > 1 for one in proofs), bool(proofs) or nothing


def with_named(
    missing: Requirement, together: Iterable[Together], whole: Sequence[tuple[Unit, Proofs]]
) -> Iterator[Together]:
    """Give what is shown ``together`` with the factors beside it that are asked for by name.

    A passkey alone reaches every floor: whoever needs one beside something else has it already.
    """
    proofs = [one for one in leaves(missing) if isinstance(one, Prove)]
    named = dict.fromkeys(one.factors for one in proofs if set(one.factors) - _ALONE)
    for (takes, given), factors in product(together, named):
        by_factor = [
            [(unit, shown) for unit, shown in whole if factor in {one.factor for one in shown}]
            for factor in factors
            if factor not in {one.factor for one in given}
        ]
        for some in product(*by_factor):
            further = chain.from_iterable(shown for _, shown in some)
            yield takes.union(*(unit.takes for unit, _ in some)), (*given, *further)
