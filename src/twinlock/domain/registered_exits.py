"""Exits that a platform registers: ways out of its own, in a namespace in which we name nothing.

A registration says by which fields of the platform's own payload the gate knows how much of which
asset leaves, and where to; every other field is named, and signed with the rest. All of them become
one type of payload (``exits.PlatformExit``), so that whatever speaks of exits speaks of them: laws,
holds, limits, sums, the list of destinations, the signer.

Always true (tests/unit/domain/test_registered_exits.py): no registration can take a name of ours,
and nothing that a draft says is left out of what is signed.

Source: docs/laws.md, law 6; docs/exits.md.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twinlock.domain.bounds import REGISTERED_EXITS_MOST, REGISTERED_TERMS_MOST
from twinlock.domain.canonical import parse_strict
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.exit_drafts import Named, Normal
from twinlock.domain.exits import PLATFORM, REGISTERED, PlatformExit
from twinlock.domain.ids import AccountId
from twinlock.domain.money import parse_amount
from twinlock.domain.policy.version import Policy

_FIELD = r"\A[a-z][a-z0-9_]{0,31}\Z"
Field = Annotated[str, Meta(pattern=_FIELD)]
_OURS = "exit"  # What the signer is told beside the terms: the exit's name.
_TEXT_MOST = 64


class RegistrationRefusedError(TwinlockError):
    """The file of exits that a platform registers is not of its form: the detail says where."""

    code = "exit_registration_refused"
    status = 422


class RegisteredExit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way out: its name, what customers read, and the fields of its payload by their meaning.

    ``asset``, ``amount`` and ``to`` name fields; ``terms`` are all others, each of which is given.
    """

    type: Annotated[str, Meta(pattern=REGISTERED)]
    says: Annotated[str, Meta(min_length=1, max_length=_TEXT_MOST)]
    asset: Field
    amount: Field
    to: Field
    terms: Annotated[tuple[Field, ...], Meta(max_length=REGISTERED_TERMS_MOST)] = ()

    def fields(self) -> tuple[str, ...]:
        """Return the names of all fields of its payload."""
        return self.asset, self.amount, self.to, *self.terms


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    exits: Annotated[tuple[RegisteredExit, ...], Meta(max_length=REGISTERED_EXITS_MOST)]


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of every draft, by our names."""

    asset: Annotated[str, Meta(min_length=1, max_length=_TEXT_MOST)]
    amount: Annotated[str, Meta(min_length=1, max_length=128)]
    to: Named


def read_registrations(data: bytes) -> Mapping[str, RegisteredExit]:
    """Return the exits of a file of JSON, by their names.

    Raises:
        RegistrationRefusedError: another form; a name twice; a field with two meanings.
    """
    try:
        found = msgspec.convert(parse_strict(data), _File)
    except (MalformedError, msgspec.ValidationError) as error:
        raise RegistrationRefusedError(f"registered exits: {error}") from error
    by_name = {one.type: one for one in found.exits}
    if len(by_name) < len(found.exits):
        raise RegistrationRefusedError("an exit is registered once")
    for one in found.exits:
        named = one.fields()
        if len(set(named)) < len(named) or _OURS in named:
            raise RegistrationRefusedError(f"{one.type}: each field has one meaning and its name")
        if not one.says.isprintable():
            raise RegistrationRefusedError(f"{one.type}: what customers read holds a control")
    return MappingProxyType(by_name)


def registered_exit(
    form: RegisteredExit,
    data: Mapping[str, Any],
    named: AccountId,
    *,
    policy: Policy,
    normal: Normal,
) -> PlatformExit:
    """Return the payload that a draft of a registered exit stands for.

    Raises:
        MalformedError: a field is missing, unknown, no text, or too long.
        UnknownAssetError, AmountError, AddressError: as they say.
    """
    if set(data) != set(form.fields()):
        raise MalformedError(f"{form.type} has exactly the fields {', '.join(form.fields())}")
    said = _said(form, data)
    asset = policy.in_books(said.asset)
    where = normal(PLATFORM, f"{form.type}/{said.to}", "")
    return PlatformExit(
        account=named,
        asset=asset.symbol,
        decimals=asset.decimals,
        amount_minor=str(parse_amount(said.amount, decimals=asset.decimals)),
        exit=form.type,
        says=form.says,
        place=where.address,
        terms=tuple((name, _text(name, data[name])) for name in sorted(form.terms)),
    )


def _said(form: RegisteredExit, data: Mapping[str, Any]) -> _Said:
    ours = {"asset": data[form.asset], "amount": data[form.amount], "to": data[form.to]}
    try:
        return msgspec.convert(ours, _Said)
    except msgspec.ValidationError as error:
        raise MalformedError(f"the payload of {form.type} does not have its form: {error}") from (
            error
        )


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_MOST or not value.isprintable():
        raise MalformedError(f"{name} is a text of {_TEXT_MOST} characters at most")
    return value
