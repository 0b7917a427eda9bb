"""Addresses against the vectors of the standards that say how they are written.

Sources: BIP-173 and BIP-350 ("Test vectors for v0-v16 native segregated witness addresses"),
BIP-341 (wallet-test-vectors.json), EIP-55 ("Test Cases"), XLS-5d (the vectors of
ripple-address-codec), SEP-23 ("Tests"), TEP-2 ("Example").
"""

import pytest

from twinlock.domain.addresses import AddressError, AddressForm
from twinlock.proofs.addresses.evm import checksummed
from twinlock.proofs.addresses.normal import normal_address

ACCOUNT = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
ROOT_DNS = "Uf_lZ1T4NCb2mwkme9h2rJfESCE0W34ma9lWp7-_uY3zXGYv"
GHP = "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"


@pytest.mark.parametrize(
    "address",
    [
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        # BIP-341: outputs of keys and of keys with scripts
        "bc1p2wsldez5mud2yam29q22wgfh9439spgduvct83k3pm50fcxa5dps59h4z5",
        "bc1pz37fc4cn9ah8anwm4xqqhvxygjf9rjf2resrw8h8w4tmvcs0863sa2e586",
        "bc1punvppl2stp38f7kwv2u2spltjuvuaayuqsthe34hd2dyy5w4g58qqfuag5",
        # BIP-173, "Examples": P2WSH
        "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
    ],
)
def test_outputs_that_can_be_spent_are_sent_to(address: str) -> None:
    assert normal_address(AddressForm.BITCOIN, address, "") == (address.lower(), "")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        # BIP-350, valid: but nobody can be paid there so far, or on a test network only
        (
            "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
            "address_refused",
        ),
        ("BC1SW50QGDZ25J", "address_nobodys"),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "address_nobodys"),
        (
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
            "address_of_another_network",
        ),
        (
            "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
            "address_of_another_network",
        ),
        # BIP-350, invalid, in the order of the standard
        ("tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut", "address_refused"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "address_checksum"),
        (
            "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
            "address_of_another_network",
        ),
        ("BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL", "address_checksum"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh", "address_checksum"),
        ("bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4", "address_checksum"),
        ("BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "address_nobodys"),
        ("bc1pw5dgrnzv", "address_refused"),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
            "address_refused",
        ),
        ("BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P", "address_refused"),
        (
            "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
            "address_of_another_network",
        ),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf", "address_refused"),
        ("bc1gmk9yu", "address_refused"),
        # Mixed case; one character wrong; one missing
        ("bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "address_checksum"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "address_checksum"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t", "address_checksum"),
    ],
)
def test_outputs_that_cannot_be_spent_are_refused(address: str, code: str) -> None:
    with pytest.raises(AddressError) as refused:
        normal_address(AddressForm.BITCOIN, address, "")

    assert refused.value.code == code


@pytest.mark.parametrize(
    "address",
    [
        # EIP-55: all capitals, all small, mixed
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_eip_55_is_written_and_read(address: str) -> None:
    assert checksummed(address.lower()) == address
    for spelling in (address, address.lower(), "0x" + address[2:].upper()):
        assert normal_address(AddressForm.EVM, spelling, "") == (address.lower(), "")


@pytest.mark.parametrize(
    ("written", "classic", "tag"),
    [
        (
            "X7AcgcsBL6XDcUb289X4mJ8djcdyKaB5hJDWMArnXr61cqZ",
            "r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59",
            "",
        ),
        (
            "X7AcgcsBL6XDcUb289X4mJ8djcdyKaGZMhc9YTE92ehJ2Fu",
            "r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59",
            "1",
        ),
        (
            "X7AcgcsBL6XDcUb289X4mJ8djcdyKaLFuhLRuNXPrDeJd9A",
            "r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59",
            "11747",
        ),
        (
            "X7YenJqxv3L66CwhBSfd3N8RzGXxYqPopMGMsCcpho79rex",
            "rpZc4mVfWUif9CRoHRKKcmhu1nx2xktxBo",
            "",
        ),
        (
            "X7d3eHCXzwBeWrZec1yT24iZerQjYL8m8zCJ16ACxu1BrBY",
            "rsA2LpzuawewSBQXkiju3YQTMzW13pAAdW",
            "23480",
        ),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtV5fdx1mHp98tDMoQXb", GHP, ""),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtV8AqEL4xcZj5whKbmc", GHP, "0"),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtVoYiC9UvKfjKar4LJe", GHP, "32"),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtVoKj3MnFGMXEFMnvJV", GHP, "276"),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtVozpjdhPQVdt3ghaWw", GHP, "65591"),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtVqrDUk2vDpkTjPsY73", GHP, "16781933"),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtV1kAsixQTdMjbWi39u", GHP, "4294967294"),
        ("XVLhHMPHU98es4dbozjVtdWzVrDjtV18pX8yuPT7y4xaEHi", GHP, "4294967295"),
    ],
)
def test_an_x_address_is_a_classic_one_and_its_tag(written: str, classic: str, tag: str) -> None:
    one = (classic, tag)

    assert normal_address(AddressForm.XRPL, written, "") == one
    assert normal_address(AddressForm.XRPL, written, tag) == one
    assert normal_address(AddressForm.XRPL, classic, tag) == one
    with pytest.raises(AddressError) as refused:
        normal_address(AddressForm.XRPL, written, "7")
    assert refused.value.code == "memo_refused"


@pytest.mark.parametrize(
    "address",
    [
        "TVE26TYGhfLC7tQDno7G8dGtxSkYQn49b3qD26PK7FcGSKE",
        "TVE26TYGhfLC7tQDno7G8dGtxSkYQnSy8RHqGHoGJ59spi2",
    ],
)
def test_an_x_address_of_the_test_network_is_refused(address: str) -> None:
    with pytest.raises(AddressError) as refused:
        normal_address(AddressForm.XRPL, address, "")

    assert refused.value.code == "address_of_another_network"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ", "0"),
        (
            "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLK",
            "9223372036854775808",
        ),
    ],
)
def test_a_muxed_account_is_an_account_and_its_id(written: str, number: str) -> None:
    assert normal_address(AddressForm.STELLAR, written, "") == (ACCOUNT, number)
    assert normal_address(AddressForm.STELLAR, written, number) == (ACCOUNT, number)
    with pytest.raises(AddressError) as refused:
        normal_address(AddressForm.STELLAR, written, "7")
    assert refused.value.code == "memo_refused"


def test_an_account_of_stellar_is_itself() -> None:
    assert normal_address(AddressForm.STELLAR, ACCOUNT, "") == (ACCOUNT, "")


@pytest.mark.parametrize(
    "address",
    [
        # SEP-23, invalid, in the order of the standard
        "GAAAAAAAACGC6",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUR",
        "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZA",
        "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUACUSI",
        "G47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVP2I",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAJLKA",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVAAAAAAAAAAAAAAV75I",
        "M47QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUQ",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUK===",
        "MA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAAAAAAAACJUO",
        # Valid strkeys that nobody is paid at as an account
        (
            "PA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUAAAAAQACAQDAQCQMBYIBEFAWDANBYHRAEISCM"
            "KBKFQXDAMRUGY4DUPB6IBZGM"
        ),
        "CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA",
        "LA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUPJN",
        "BAAD6DBUX6J22DMZOHIEZTEQ64CVCHEDRKWZONFEUL5Q26QD7R76RGR4TU",
        ACCOUNT.lower(),
    ],
)
def test_no_other_strkey_is_an_account(address: str) -> None:
    with pytest.raises(AddressError):
        normal_address(AddressForm.STELLAR, address, "")


@pytest.mark.parametrize(
    "address",
    [
        "-1:e56754f83426f69b09267bd876ac97c44821345b7e266bd956a7bfbfb98df35c",
        "-1:E56754F83426F69B09267BD876AC97C44821345B7E266BD956A7BFBFB98DF35C",
        "Ef_lZ1T4NCb2mwkme9h2rJfESCE0W34ma9lWp7-_uY3zXDvq",
        "Ef/lZ1T4NCb2mwkme9h2rJfESCE0W34ma9lWp7+/uY3zXDvq",
        ROOT_DNS,
    ],
)
def test_every_spelling_of_an_address_of_ton_is_one(address: str) -> None:
    assert normal_address(AddressForm.TON, address, "") == (ROOT_DNS, "")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("Pubjns2gp7DGCnEH7EOWeCnb6Lw1akm538YYaz6sdLVHfRB2", "address_refused"),  # a public key
        ("kQCD39VS5jcptHL8vMjEXrzGaRcCVYto7HUn4bpAOg8xqKYH", "address_of_another_network"),
        ("UQCD39VS5jcptHL8vMjEXrzGaRcCVYto7HUn4bpAOg8xqB2N", "address_checksum"),
        ("Ef_lZ1T4NCb2mwkme9h2rJfESCE0W34ma9lWp7+/uY3zXDvq", "address_refused"),  # both alphabets
        ("1:e56754f83426f69b09267bd876ac97c44821345b7e266bd956a7bfbfb98df35c", "address_refused"),
    ],
)
def test_what_is_no_address_of_ton_is_refused(address: str, code: str) -> None:
    with pytest.raises(AddressError) as refused:
        normal_address(AddressForm.TON, address, "")

    assert refused.value.code == code
