"""The one form of a destination, by the form that the policy version names for its network."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from twinlock.domain.addresses import (
    AddressCharactersError,
    AddressError,
    AddressForm,
    AddressNetworkError,
    AddressNobodysError,
    MemoError,
    normal_memo,
)
from twinlock.domain.drafts import Where
from twinlock.domain.exits import BOOKS
from twinlock.domain.policy.version import Policy
from twinlock.proofs.addresses.characters import check_characters
from twinlock.proofs.addresses.coins import normal_coin
from twinlock.proofs.addresses.evm import normal_evm
from twinlock.proofs.addresses.keys import normal_solana, normal_stellar, normal_ton
from twinlock.proofs.addresses.names import normal_bank_account, normal_eos, normal_venue_id
from twinlock.proofs.addresses.xrpl import normal_xrpl

_Normal: TypeAlias = Callable[[str, str], tuple[str, str]]


def _alone(normal: Callable[[str], str]) -> _Normal:
    return lambda address, memo: (normal(address), memo)


def _coin(form: AddressForm) -> _Normal:
    return _alone(lambda address: normal_coin(form, address))


_NORMAL: Mapping[AddressForm, _Normal] = MappingProxyType(
    {
        AddressForm.BITCOIN: _coin(AddressForm.BITCOIN),
        AddressForm.LITECOIN: _coin(AddressForm.LITECOIN),
        AddressForm.DOGECOIN: _coin(AddressForm.DOGECOIN),
        AddressForm.EVM: _alone(normal_evm),
        AddressForm.TRON: _coin(AddressForm.TRON),
        AddressForm.SOLANA: _alone(normal_solana),
        AddressForm.XRPL: normal_xrpl,
        AddressForm.STELLAR: normal_stellar,
        AddressForm.EOS: _alone(normal_eos),
        AddressForm.TON: _alone(normal_ton),
        AddressForm.BANK: _alone(normal_bank_account),
        AddressForm.VENUE: _alone(normal_venue_id),
        AddressForm.PLAIN: _alone(lambda address: address),
    }
)
# The forms by which an address is known for what it is, and what people call them.
_TOLD_APART: Mapping[AddressForm, str] = MappingProxyType(
    {
        AddressForm.BITCOIN: "Bitcoin",
        AddressForm.LITECOIN: "Litecoin",
        AddressForm.DOGECOIN: "Dogecoin",
        AddressForm.EVM: "Ethereum or a chain like it",
        AddressForm.TRON: "TRON",
        AddressForm.SOLANA: "Solana",
        AddressForm.XRPL: "the XRP Ledger",
        AddressForm.STELLAR: "Stellar",
        AddressForm.TON: "TON",
        AddressForm.BANK: "a bank",
    }
)


def normal_where(network: str, address: str, memo: str, policy: Policy) -> Where:
    """Return a destination in its one form, by what the policy version says of its network.

    Raises:
        NetworkUnknownError: the policy version does not name it.
        AddressError: it is no destination of this network; each defect has a code of its own.
    """
    form = AddressForm.VENUE if network in BOOKS else policy.coin(network).form
    if form is None:
        raise AddressError("the policy version names no form of this network's addresses")
    address, memo = normal_address(form, address, memo)
    if policy.is_contract(network, address):
        raise AddressNobodysError("this is the address of a token, and not of anybody who has some")
    return Where(network=network, address=address, memo=memo)


def normal_address(form: AddressForm, address: str, memo: str) -> tuple[str, str]:
    """Return address and memo in their one form.

    Raises:
        AddressError: they have none.
    """
    if form is not AddressForm.BANK:
        check_characters(address)
    try:
        address, inside = _NORMAL[form](address, memo)
    except (AddressNetworkError, AddressCharactersError, MemoError):
        raise
    except AddressError:
        _check_of_another(form, address)
        raise
    return address, normal_memo(form, inside)


def _check_of_another(form: AddressForm, address: str) -> None:
    """Say which network an address is of, where it is not of the one that was named."""
    for other, name in _TOLD_APART.items():
        if other is form:
            continue
        try:
            _NORMAL[other](address, "")
        except AddressError:
            continue
        raise AddressNetworkError(f"this is an address of {name}, not of the network named")
