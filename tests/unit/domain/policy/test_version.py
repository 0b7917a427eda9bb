"""A policy version: its name commits to everything in it."""

import pytest
from msgspec.structs import replace
from support.policies import DEFAULT, STRICT, policy_of, with_rules

from twinlock.adapters.policies import shipped
from twinlock.domain.canonical import decode, encode, from_b64url
from twinlock.domain.money import NetworkUnknownError, UnknownAssetError
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.version import ASSETS, Draft, Policy, header_of, policy_digest

POLICY = DEFAULT


@pytest.mark.parametrize(("symbol", "network"), [(one.symbol, one.network) for one in ASSETS])
def test_an_asset_is_found_by_symbol_and_network(symbol: str, network: str) -> None:
    found = POLICY.asset(symbol, network)

    assert (found.symbol, found.network) == (symbol, network)


@pytest.mark.parametrize(
    ("symbol", "network"), [("USDT", "bitcoin"), ("usdt", "ethereum"), ("", ""), ("BTC", "tron")]
)
def test_an_asset_the_policy_does_not_name_is_unknown(symbol: str, network: str) -> None:
    with pytest.raises(UnknownAssetError):
        POLICY.asset(symbol, network)


def test_every_network_has_a_coin_of_its_own_to_pay_fees_in() -> None:
    coins = {one.network for one in ASSETS if not one.contract}

    assert coins == {one.network for one in ASSETS}


def test_a_network_the_policy_does_not_name_has_no_coin() -> None:
    with pytest.raises(NetworkUnknownError):
        POLICY.coin("moon")


def changed(**changes: object) -> Draft:
    return replace(POLICY.draft, **changes)


def test_a_policys_digest_binds_everything_in_it() -> None:
    other = replace(ASSETS[2], decimals=18)
    shorter = shipped("default").replace("50000", "49999")
    digests = {
        POLICY.name.digest,
        Policy(changed(version=2)).name.digest,
        Policy(changed(profile="other")).name.digest,
        Policy(changed(assets=(*ASSETS[:2], other))).name.digest,
        Policy(changed(schema="type Facts = {};")).name.digest,
        policy_of(shorter, profile="default").name.digest,
        STRICT.name.digest,
    }

    assert len(digests) == 7
    assert all(len(from_b64url(one)) == 32 for one in digests)


def test_the_way_a_policy_is_written_does_not_change_its_digest() -> None:
    text = shipped("default")
    backwards = "\n\n".join(reversed(text.replace("// ", "// same: ").split("\n\n")))

    assert policy_of(backwards, profile="default").name == DEFAULT.name


def test_a_header_names_the_large_parts_by_their_digests() -> None:
    header, whole = decode(header_of(POLICY.text)), decode(POLICY.text)

    assert len(header_of(POLICY.text)) < 1_536  # The assets stand in it, some eighty bytes each.
    assert header["assets"] == whole["assets"]
    assert {name for name in whole if header[name] != whole[name]} == {
        "ranges",
        "schema",
        "statutes",
    }
    assert policy_digest(header_of(POLICY.text)) == POLICY.name.digest


def test_what_is_not_a_policys_text_has_no_header() -> None:
    for text in (
        b"",
        b"[]",
        b"{}",
        encode({"ranges": 1, "schema": 2}),
        b"\xff",
        b'{"ranges":"\xff"}',
        b"[" * 10**6,
        b'{"ranges":' + b"[" * 10**6,
        POLICY.text + b" ",
    ):
        with pytest.raises(PolicyRefusedError, match="unreadable"):
            header_of(text)


def test_two_policies_of_one_text_are_told_apart_by_their_version() -> None:
    one, two = (policy_of(with_rules(), version=number) for number in (1, 2))

    assert one.statutes.text == two.statutes.text
    assert one.name != two.name
