"""Addresses that people mistype, and that thieves make: each defect is told by its own code."""

import base64
import binascii

import pytest
from base58_bech32.base58 import RIPPLE_ALPHABET, b58encode, b58encode_check
from base58_bech32.bech32 import BECH32_1_CONST, BECH32_M_CONST, bech32_encode, convertbits
from msgspec.structs import replace
from support.policies import DEFAULT

from twinlock.domain.addresses import AddressError, AddressForm, AddressNobodysError
from twinlock.domain.drafts import Where
from twinlock.domain.money import NetworkUnknownError
from twinlock.domain.policy.version import Policy
from twinlock.proofs.addresses.coins import is_base58
from twinlock.proofs.addresses.iban import LENGTHS
from twinlock.proofs.addresses.names import normal_bank_account, normal_venue_id
from twinlock.proofs.addresses.normal import normal_address, normal_where

F = AddressForm
P2PKH = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"
P2SH = "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
SEGWIT = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
EVM = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TETHER = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
LITECOIN = "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9"
DOGECOIN = "DBXu2kgc3xtvCUWFcxFE3r9hEYgmuaaCyD"
XRPL = "r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59"
STELLAR = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
TON = "UQCD39VS5jcptHL8vMjEXrzGaRcCVYto7HUn4bpAOg8xqEBI"
IBAN = "GB82WEST12345698765432"


def code_of(form: AddressForm, address: str, memo: str = "") -> str:
    with pytest.raises(AddressError) as refused:
        normal_address(form, address, memo)
    return refused.value.code


def base58(version: int, payload: bytes, alphabet: bytes | None = None) -> str:
    data = bytes([version]) + payload
    if alphabet is None:
        return b58encode_check(data).decode("ascii")
    return b58encode_check(data, alphabet=alphabet).decode("ascii")


def strkey(version: int, payload: bytes) -> str:
    body = bytes([version]) + payload
    crc = binascii.crc_hqx(body, 0).to_bytes(2, "little")
    return base64.b32encode(body + crc).decode("ascii").rstrip("=")


def friendly(tag: int, chain: int, account: bytes) -> str:
    body = bytes([tag, chain]) + account
    crc = binascii.crc_hqx(body, 0).to_bytes(2, "big")
    return base64.urlsafe_b64encode(body + crc).decode("ascii")


@pytest.mark.parametrize(
    ("form", "written", "one"),
    [
        (F.BITCOIN, P2PKH, P2PKH),
        (F.BITCOIN, P2SH, P2SH),
        (F.BITCOIN, SEGWIT.upper(), SEGWIT),
        (F.LITECOIN, LITECOIN, LITECOIN),
        (F.LITECOIN, P2SH, "MQMHBtvnBfxTzt3K2bdxgSE7qZPHSXWsGM"),
        (
            F.LITECOIN,
            "LTC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KGMN4N9",
            "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9",
        ),
        (F.DOGECOIN, DOGECOIN, DOGECOIN),
        (F.DOGECOIN, base58(0x16, b"\x07" * 20), base58(0x16, b"\x07" * 20)),
        (F.EVM, EVM, EVM.lower()),
        (F.TRON, TETHER, TETHER),
        (F.SOLANA, USDC, USDC),
        (F.XRPL, XRPL, XRPL),
        (F.STELLAR, STELLAR, STELLAR),
        (F.EOS, "alice.grp", "alice.grp"),
        (F.EOS, "a", "a"),
        (F.TON, TON, TON),
        (F.BANK, "GB82 WEST 1234 5698 7654 32", IBAN),
        (F.BANK, "gb82west12345698765432", IBAN),
        (F.VENUE, "Bob_2.sub-1", "Bob_2.sub-1"),
        (F.PLAIN, "moon:Alice/7", "moon:Alice/7"),
    ],
)
def test_each_network_has_its_own_form(form: AddressForm, written: str, one: str) -> None:
    assert normal_address(form, written, "") == (one, "")
    assert normal_address(form, one, "") == (one, "")


@pytest.mark.parametrize("form", [one for one in F if one is not F.BANK])
@pytest.mark.parametrize(
    ("spoiled", "says"),
    [
        pytest.param("\u200b" + EVM, "invisible (U+200B)", id="a space of no width"),
        pytest.param(EVM[:8] + "\u202e" + EVM[8:], "invisible (U+202E)", id="from right to left"),
        pytest.param(EVM + "\n", "invisible (U+000A)", id="a line's end"),
        pytest.param(EVM + "\x00", "invisible (U+0000)", id="a null"),
        pytest.param(" " + EVM, "a space (U+0020)", id="a space before it"),
        pytest.param(EVM[:9] + "\u00a0" + EVM[9:], "a space (U+00A0)", id="a space inside"),
        pytest.param(
            EVM.replace("a", "\u0430", 1), "cyrillic small letter a (U+0430)", id="a Cyrillic a"
        ),
        pytest.param(
            EVM.replace("5", "\uff15", 1), "fullwidth digit five (U+FF15)", id="a wide digit"
        ),
        pytest.param(EVM + "\u0301", "combining acute accent (U+0301)", id="an accent"),
        pytest.param(EVM + "\U000e0041", "invisible (U+E0041)", id="a tag character"),
        pytest.param(EVM + "\ufdd0", "invisible (U+FDD0)", id="no character"),
    ],
)
def test_what_is_not_seen_or_looks_like_another_is_named(
    form: AddressForm, spoiled: str, says: str
) -> None:
    with pytest.raises(AddressError, match=r"character \d+ is") as refused:
        normal_address(form, spoiled, "")

    assert refused.value.code == "address_characters"
    assert str(refused.value).endswith(says)
    assert str(refused.value).isascii()


@pytest.mark.parametrize("address", ["", "x" * 129])
def test_an_address_has_a_length(address: str) -> None:
    assert code_of(F.PLAIN, address) == "address_characters"


ALL = {
    F.BITCOIN: P2PKH,
    F.LITECOIN: LITECOIN,
    F.DOGECOIN: DOGECOIN,
    F.EVM: EVM,
    F.TRON: TETHER,
    F.SOLANA: USDC,
    F.XRPL: XRPL,
    F.STELLAR: STELLAR,
    F.TON: TON,
    F.BANK: IBAN,
}


@pytest.mark.parametrize("form", ALL)
@pytest.mark.parametrize("other", ALL)
def test_an_address_of_another_network_is_told_as_one(
    form: AddressForm, other: AddressForm
) -> None:
    if form is other:
        normal_address(form, ALL[other], "")
    else:
        assert code_of(form, ALL[other]) == "address_of_another_network"


@pytest.mark.parametrize(
    ("form", "address"),
    [
        pytest.param(F.BITCOIN, "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", id="Bitcoin"),
        pytest.param(F.BITCOIN, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", id="regtest"),
        pytest.param(F.LITECOIN, base58(0x3A, b"\x07" * 20), id="Litecoin"),
        pytest.param(F.LITECOIN, "tltc1qw508d6qejxtdg4y5r3zarvary0c5xw7klfsuq0", id="its segwit"),
        pytest.param(F.DOGECOIN, base58(0x71, b"\x07" * 20), id="Dogecoin"),
        pytest.param(F.TON, friendly(0x91, 0, b"\x07" * 32), id="TON"),
    ],
)
def test_an_address_of_a_test_network_is_told_as_one(form: AddressForm, address: str) -> None:
    assert code_of(form, address) == "address_of_another_network"


@pytest.mark.parametrize(
    ("form", "address"),
    [
        pytest.param(F.BITCOIN, P2PKH[:-1] + "3", id="Bitcoin"),
        pytest.param(F.BITCOIN, P2PKH[:-1], id="one character less"),
        pytest.param(F.BITCOIN, SEGWIT[:-1] + "5", id="bech32"),
        pytest.param(F.BITCOIN, SEGWIT[:-1] + "T", id="bech32 in mixed case"),
        pytest.param(F.EVM, EVM[:-1] + "D", id="EIP-55"),
        pytest.param(F.EVM, "0x" + "aB" * 20, id="EIP-55 of other capitals"),
        pytest.param(F.TRON, TETHER[:-2] + "7t", id="TRON"),
        pytest.param(F.XRPL, XRPL[:-1] + "8", id="XRP"),
        pytest.param(F.STELLAR, STELLAR[:-1] + "Y", id="Stellar"),
        pytest.param(F.TON, TON[:-1] + "J", id="TON"),
        pytest.param(F.BANK, IBAN[:-1] + "3", id="a bank"),
        pytest.param(F.BANK, "GB01" + IBAN[4:], id="check digits that are never computed"),
    ],
)
def test_what_was_mistyped_is_told_as_that(form: AddressForm, address: str) -> None:
    assert code_of(form, address) == "address_checksum"


NO_POINT = bytes.fromhex("eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34")


def taproot(program: bytes, version: int = 1) -> str:
    words = [version, *convertbits(program, 8, 5)]
    return bech32_encode("bc", words, m=BECH32_M_CONST).decode("ascii")


def segwit(hrp: str, program: bytes) -> str:
    return bech32_encode(hrp, [0, *convertbits(program, 8, 5)], m=BECH32_1_CONST).decode("ascii")


@pytest.mark.parametrize(
    ("form", "address"),
    [
        pytest.param(F.BITCOIN, "1111111111111111111114oLvT2", id="Bitcoin's zeros"),
        pytest.param(F.BITCOIN, taproot(NO_POINT), id="a key that is no point (BIP-340)"),
        pytest.param(F.BITCOIN, taproot(b"\xff" * 32), id="a key beyond the field"),
        pytest.param(F.BITCOIN, taproot(b"\x07" * 32, version=2), id="a version of the future"),
        pytest.param(F.EVM, "0x" + "0" * 40, id="Ethereum's zeros"),
        pytest.param(F.BITCOIN, segwit("bc", bytes(20)), id="Bitcoin's zeros in bech32"),
        pytest.param(F.LITECOIN, segwit("ltc", bytes(32)), id="Litecoin's zeros of a script"),
        pytest.param(F.EVM, "0x" + "0" * 39 + "1", id="a program of Ethereum's own"),
        pytest.param(F.EVM, "0x" + "0" * 36 + "dEaD", id="where tokens are destroyed"),
        pytest.param(F.TRON, base58(0x41, bytes(20)), id="TRON's zeros"),
        pytest.param(F.SOLANA, "1nc1nerator" + "1" * 32, id="Solana's incinerator"),
        pytest.param(F.STELLAR, strkey(6 << 3, bytes(32)), id="Stellar's zeros"),
        pytest.param(F.STELLAR, strkey(12 << 3, bytes(40)), id="Stellar's zeros with an id"),
        pytest.param(F.SOLANA, "1" * 32, id="Solana's system program"),
        pytest.param(F.XRPL, "rrrrrrrrrrrrrrrrrrrrrhoLvTp", id="XRP's ACCOUNT_ZERO"),
        pytest.param(F.XRPL, "rrrrrrrrrrrrrrrrrrrrBZbvji", id="XRP's ACCOUNT_ONE"),
        pytest.param(F.TON, "0:" + "0" * 64, id="TON's zeros"),
    ],
)
def test_nobodys_address_is_told_as_that(form: AddressForm, address: str) -> None:
    assert code_of(form, address) == "address_nobodys"


@pytest.mark.parametrize(
    ("form", "address"),
    [
        pytest.param(F.BITCOIN, base58(0x00, b"\x07" * 19), id="19 bytes"),
        pytest.param(F.BITCOIN, b58encode_check(b"").decode("ascii"), id="no bytes"),
        pytest.param(F.BITCOIN, "1" * 65, id="too long"),
        pytest.param(F.BITCOIN, "O0Il", id="characters that are in no base58"),
        pytest.param(F.LITECOIN, "ltcmweb1qqqqqqqqqqqq", id="Litecoin's extension blocks"),
        pytest.param(F.EVM, EVM[:-1], id="39 digits"),
        pytest.param(F.EVM, EVM + "0", id="41 digits"),
        pytest.param(F.EVM, "0X" + EVM[2:], id="a capital X"),
        pytest.param(F.EVM, EVM[2:], id="no prefix"),
        pytest.param(F.EVM, "vitalik.eth", id="a name"),
        pytest.param(F.SOLANA, b58encode(b"\x07" * 31).decode("ascii"), id="31 bytes"),
        pytest.param(F.SOLANA, b58encode(b"\x07" * 33).decode("ascii"), id="33 bytes"),
        pytest.param(F.SOLANA, "O" * 32, id="no base58"),
        pytest.param(F.XRPL, base58(0x00, b"\x07" * 19, RIPPLE_ALPHABET), id="19 bytes of XRP"),
        pytest.param(F.XRPL, base58(0x07, b"\x07" * 20, RIPPLE_ALPHABET), id="not an account"),
        pytest.param(
            F.XRPL,
            base58(0x05, b"\x44" + b"\x07" * 20 + b"\x02" + bytes(8), RIPPLE_ALPHABET),
            id="an X-address of tags of 64 bits",
        ),
        pytest.param(
            F.XRPL,
            base58(0x05, b"\x44" + b"\x07" * 20 + b"\x01" + bytes(7) + b"\x01", RIPPLE_ALPHABET),
            id="an X-address whose tag is too large",
        ),
        pytest.param(
            F.XRPL,
            base58(0x05, b"\x44" + b"\x07" * 20 + b"\x00\x01" + bytes(7), RIPPLE_ALPHABET),
            id="an X-address with a tag, and no flag",
        ),
        pytest.param(
            F.XRPL,
            base58(0x05, b"\x45" + b"\x07" * 20 + bytes(9), RIPPLE_ALPHABET),
            id="an X-address of no network",
        ),
        pytest.param(F.STELLAR, strkey(6 << 3, b"\x07" * 31), id="31 bytes of Stellar"),
        pytest.param(F.STELLAR, strkey(12 << 3, b"\x07" * 32), id="a muxed account without an id"),
        pytest.param(F.STELLAR, "AAAA", id="a strkey without a body"),
        pytest.param(F.STELLAR, "A", id="no base32"),
        pytest.param(F.STELLAR, STELLAR.lower(), id="small letters"),
        pytest.param(F.EOS, "Alice", id="a capital in an account's name"),
        pytest.param(F.EOS, "alice.", id="a dot at its end"),
        pytest.param(F.EOS, ".alice", id="a dot before it"),
        pytest.param(F.EOS, "alice6", id="a digit that names have not"),
        pytest.param(F.EOS, "a" * 13, id="13 characters"),
        pytest.param(F.TON, friendly(0x11, 1, b"\x07" * 32), id="a chain that is not"),
        pytest.param(F.TON, friendly(0x12, 0, b"\x07" * 32), id="a tag that is not"),
        pytest.param(F.TON, "0:" + "7" * 63, id="63 digits of TON"),
        pytest.param(F.BANK, "GB82WEST1234569876543", id="an IBAN too short for its country"),
        pytest.param(F.BANK, "ZZ82WEST12345698765432", id="a country that is not"),
        pytest.param(F.BANK, "WEST12345698765432", id="no check digits"),
        pytest.param(F.VENUE, "bob!", id="an id with another character"),
        pytest.param(F.VENUE, "b" * 65, id="an id that is too long"),
    ],
)
def test_what_is_of_no_form_is_refused(form: AddressForm, address: str) -> None:
    assert code_of(form, address) in ("address_refused", "address_checksum")


def test_a_secret_key_is_not_repeated() -> None:
    seed = strkey(18 << 3, b"\x07" * 32)

    with pytest.raises(AddressError, match="secret key") as refused:
        normal_address(F.STELLAR, seed, "")
    assert seed not in str(refused.value)


def test_trons_hexadecimal_form_has_no_checksum_and_is_refused() -> None:
    assert code_of(F.TRON, "41a614f803b6fd780986a42c78ec9c7f77e6ded13c") == (
        "address_of_another_network"
    )


@pytest.mark.parametrize(
    ("form", "address", "memo", "one"),
    [
        (F.XRPL, XRPL, "7", "7"),
        (F.XRPL, XRPL, "007", "7"),
        (F.XRPL, XRPL, "4294967295", "4294967295"),
        (F.XRPL, XRPL, "0", "0"),
        (F.STELLAR, STELLAR, "007", "007"),
        (F.STELLAR, STELLAR, "x" * 28, "x" * 28),
        (F.EOS, "alice", "order 17", "order 17"),
        (F.TON, TON, "x" * 120, "x" * 120),
        (F.BANK, IBAN, "Invoice 7", "Invoice 7"),
    ],
)
def test_a_memo_has_one_form(form: AddressForm, address: str, memo: str, one: str) -> None:
    assert normal_address(form, address, memo)[1] == one


@pytest.mark.parametrize(
    ("form", "address", "memo"),
    [
        pytest.param(F.BITCOIN, P2PKH, "7", id="a network without memos"),
        pytest.param(F.EVM, EVM, "7", id="another"),
        pytest.param(F.XRPL, XRPL, "4294967296", id="a tag of 33 bits"),
        pytest.param(F.XRPL, XRPL, "-1", id="less than nothing"),
        pytest.param(F.XRPL, XRPL, "7a", id="no number"),
        pytest.param(F.XRPL, XRPL, "\uff17", id="a wide digit"),
        pytest.param(F.XRPL, XRPL, "00000000007", id="too many digits"),
        pytest.param(F.STELLAR, STELLAR, "x" * 29, id="29 characters on Stellar"),
        pytest.param(F.TON, TON, "x" * 121, id="121 characters on TON"),
        pytest.param(F.EOS, "alice", " 7", id="a space before it"),
        pytest.param(F.EOS, "alice", "7 ", id="a space after it"),
        pytest.param(F.EOS, "alice", "7\n", id="a line's end"),
        pytest.param(F.EOS, "alice", "\u202e7", id="from right to left"),
        pytest.param(F.EOS, "alice", "\u200b", id="nothing to be seen"),
    ],
)
def test_a_memo_that_the_network_cannot_carry_is_refused(
    form: AddressForm, address: str, memo: str
) -> None:
    assert code_of(form, address, memo) == "memo_refused"


@pytest.mark.parametrize(
    "text",
    [
        "DE89 3704 0044 0532 0130 00",
        "NL91ABNA0417164300",
        "NO93 8601 1117 947",
        "MT84MALT011000012345MTLCAST001S",
        "FR14 2004 1010 0505 0001 3M02 606",
    ],
)
def test_bank_accounts_of_the_registry_are_known(text: str) -> None:
    assert normal_bank_account(text) == text.replace(" ", "")


@pytest.mark.parametrize("text", [f" {IBAN}", f"{IBAN} ", "GB82  WEST12345698765432", "GB82\tWEST"])
def test_an_iban_is_in_groups_with_one_space_between_them(text: str) -> None:
    with pytest.raises(AddressError) as refused:
        normal_bank_account(text)

    assert refused.value.code == "address_characters"


def test_an_iban_in_other_letters_is_refused() -> None:
    with pytest.raises(AddressError) as refused:
        normal_bank_account(IBAN.replace("E", "\u0415"))

    assert refused.value.code == "address_characters"


def test_countries_have_lengths_of_the_registry() -> None:
    assert all(15 <= length <= 33 for length in LENGTHS.values())
    assert (LENGTHS["NO"], LENGTHS["RU"]) == (15, 33)


def test_an_id_of_the_venue_is_itself() -> None:
    assert normal_venue_id("b" * 64) == "b" * 64


# --- By the policy version ---


def test_the_policy_version_says_which_form_a_network_has() -> None:
    said = normal_where("xrpl", "X7AcgcsBL6XDcUb289X4mJ8djcdyKaGZMhc9YTE92ehJ2Fu", "", DEFAULT)

    assert said == Where(network="xrpl", address=XRPL, memo="1")


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("tron", TETHER),
        ("ethereum", "0xdAC17F958D2ee523a2206206994597C13D831ec7"),
        ("ethereum", "0xDAC17F958D2EE523A2206206994597C13D831EC7"),
    ],
)
def test_a_token_is_no_destination_of_its_own(network: str, address: str) -> None:
    """Prevents: what people copy from an explorer's page of the token, and lose everything by."""
    with pytest.raises(AddressNobodysError):
        normal_where(network, address, "", DEFAULT)


def test_a_network_that_the_policy_does_not_name_is_refused() -> None:
    with pytest.raises(NetworkUnknownError):
        normal_where("moon", XRPL, "", DEFAULT)


def test_a_network_without_a_stated_form_is_refused() -> None:
    bare = tuple(replace(one, form=None) for one in DEFAULT.assets)
    policy = Policy(replace(DEFAULT.draft, assets=bare))

    with pytest.raises(AddressError, match="no form"):
        normal_where("ethereum", EVM, "", policy)


def test_a_network_may_be_stated_to_have_a_plain_form() -> None:
    moon = replace(DEFAULT.assets[0], network="moon", form=F.PLAIN)
    policy = Policy(replace(DEFAULT.draft, assets=(*DEFAULT.assets, moon)))

    assert normal_where("moon", "Crater:7", "x", policy).address == "Crater:7"


def test_what_is_no_base58_has_no_bytes() -> None:
    assert is_base58("0OIl", 32) is None
