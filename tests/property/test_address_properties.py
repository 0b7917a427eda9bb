"""Every spelling of one destination has one form; the form of a form is itself."""

import base64
import binascii

import pytest
from base58_bech32.base58 import RIPPLE_ALPHABET, b58encode, b58encode_check
from base58_bech32.bech32 import BECH32_1_CONST, bech32_encode, convertbits
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.addresses import AddressError, AddressForm
from twinlock.proofs.addresses.evm import checksummed
from twinlock.proofs.addresses.names import normal_bank_account
from twinlock.proofs.addresses.normal import normal_address

F = AddressForm
Spellings = tuple[AddressForm, tuple[tuple[str, str], ...]]
TWENTY = st.binary(min_size=20, max_size=20).filter(lambda key: any(key[:-2]))
KEYS = st.binary(min_size=32, max_size=32).filter(any)


def base58(version: bytes, payload: bytes) -> str:
    return b58encode_check(version + payload).decode("ascii")


def bitcoin(hashed: bytes) -> Spellings:
    words = [0, *convertbits(hashed, 8, 5)]
    written = bech32_encode("bc", words, m=BECH32_1_CONST).decode("ascii")
    return F.BITCOIN, ((written, ""), (written.upper(), ""))


def litecoin(hashed: bytes) -> Spellings:
    return F.LITECOIN, ((base58(b"\x32", hashed), ""), (base58(b"\x05", hashed), ""))


def evm(hashed: bytes) -> Spellings:
    digits = hashed.hex()
    written = (f"0x{digits}", f"0x{digits.upper()}", checksummed(f"0x{digits}"))
    return F.EVM, tuple((one, "") for one in written)


def ton(account: bytes) -> Spellings:
    spellings = [f"0:{account.hex()}", f"0:{account.hex().upper()}"]
    for tag in (0x11, 0x51):
        body = bytes([tag, 0]) + account
        whole = body + binascii.crc_hqx(body, 0).to_bytes(2, "big")
        spellings += [base64.b64encode(whole).decode(), base64.urlsafe_b64encode(whole).decode()]
    return F.TON, tuple((one, "") for one in spellings)


def xrpl(account: bytes, tag: int) -> Spellings:
    inside = account + b"\x01" + tag.to_bytes(8, "little")
    x_address = b58encode_check(b"\x05\x44" + inside, alphabet=RIPPLE_ALPHABET).decode("ascii")
    classic = b58encode_check(b"\x00" + account, alphabet=RIPPLE_ALPHABET).decode("ascii")
    return F.XRPL, ((x_address, ""), (x_address, f"{tag}"), (classic, f"{tag}"))


def strkey(version: int, payload: bytes) -> str:
    body = bytes([version]) + payload
    crc = binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return base64.b32encode(body + crc).decode("ascii").rstrip("=")


def stellar(key: bytes, number: int) -> Spellings:
    muxed, plain = strkey(12 << 3, key + number.to_bytes(8, "big")), strkey(6 << 3, key)
    return F.STELLAR, ((muxed, ""), (muxed, f"{number}"), (plain, f"{number}"))


SPELLINGS = st.one_of(
    TWENTY.map(bitcoin),
    TWENTY.map(litecoin),
    TWENTY.map(evm),
    KEYS.map(ton),
    st.builds(xrpl, TWENTY, st.integers(0, 2**32 - 1)),
    st.builds(stellar, KEYS, st.integers(0, 2**64 - 1)),
)


@given(spellings=SPELLINGS)
def test_every_spelling_of_a_destination_has_one_form(spellings: Spellings) -> None:
    form, written = spellings
    forms = {normal_address(form, *one) for one in written}

    assert len(forms) == 1
    assert normal_address(form, *next(iter(forms))) in forms


@given(one=SPELLINGS, other=SPELLINGS)
def test_two_destinations_never_have_one_form(one: Spellings, other: Spellings) -> None:
    if one != other and one[0] is other[0]:
        assert normal_address(one[0], *one[1][0]) != normal_address(other[0], *other[1][0])


CHECKED = st.one_of(
    TWENTY.map(lambda key: (F.BITCOIN, base58(b"\x00", key))),
    TWENTY.map(lambda key: (F.DOGECOIN, base58(b"\x1e", key))),
    TWENTY.map(lambda key: (F.TRON, base58(b"\x41", key))),
    TWENTY.map(lambda key: (F.BITCOIN, bitcoin(key)[1][0][0])),
    KEYS.map(lambda key: (F.STELLAR, strkey(6 << 3, key))),
    KEYS.map(lambda key: (F.TON, ton(key)[1][3][0])),
)


@given(known=CHECKED, place=st.integers(0, 100), character=st.sampled_from("aA1zZ9kbQ-_+/"))
def test_one_character_other_is_never_another_address(
    known: tuple[AddressForm, str], place: int, character: str
) -> None:
    form, address = known
    place %= len(address)
    changed = address[:place] + character + address[place + 1 :]
    try:
        normal = normal_address(form, changed, "")
    except AddressError:
        return
    assert normal == normal_address(form, address, "")


@given(form=st.sampled_from(F), address=st.text(max_size=140), memo=st.text(max_size=140))
def test_whatever_is_typed_is_refused_or_has_one_form(
    form: AddressForm, address: str, memo: str
) -> None:
    try:
        normal = normal_address(form, address, memo)
    except AddressError:
        return
    assert normal_address(form, *normal) == normal
    assert all(one.isascii() and one.isprintable() for one in normal)


@given(key=st.binary(min_size=32, max_size=32).filter(any))
def test_every_key_is_an_address_of_solana(key: bytes) -> None:
    written = b58encode(key).decode("ascii")

    assert normal_address(F.SOLANA, written, "") == (written, "")


@given(account=st.integers(0, 10**18 - 1))
def test_check_digits_find_any_one_digit_that_is_other(account: int) -> None:
    bban = f"{account:018}"
    digits = 98 - int(f"{bban}131400") % 97  # D and E are 13 and 14.
    whole = f"DE{digits:02}{bban}"
    assert normal_bank_account(whole) == whole

    other = f"{whole[:10]}{(int(whole[10]) + 1) % 10}{whole[11:]}"
    with pytest.raises(AddressError):
        normal_bank_account(other)
