"""Places: one for each symbol and network, the same in exits and on lists."""

from typing import Any

import pytest

from twinlock.domain.exits import BANK, BOOKS, EXITS, MARKET, PLATFORM, SUBACCOUNT, VENUE
from twinlock.proofs.addresses.normal import normal_where
from twinlock.range.customer import NotPlayableError
from twinlock.range.places import CHAINS, NETWORK, NETWORKS, OLD, PAIRS, Places, networks_in
from twinlock.range.profiles import rules_of


def test_every_exit_leads_to_a_network_that_has_an_old_place() -> None:
    assert set(NETWORKS) == EXITS - {"platform.exit"}
    assert set(NETWORKS.values()) == set(OLD) == {NETWORK, BANK, *BOOKS} - {PLATFORM}
    assert all(Places("salt").network(name) == network for network, name in OLD.items())


@pytest.mark.parametrize("network", [*CHAINS, BANK, *sorted(BOOKS - {PLATFORM})])
def test_a_place_is_one_that_the_gate_takes_as_it_stands(network: str) -> None:
    policy = rules_of("default").policy

    for symbol in (OLD.get(network, OLD[NETWORK]), "attacker_addr", "Ä ö/../", "x" * 128):
        address = Places("salt").address(symbol, network=network)
        assert normal_where(network, address, "", policy).address == address


@pytest.mark.parametrize("network", [NETWORK, BANK, VENUE])
def test_two_symbols_are_two_places_and_no_other_replay_has_them(network: str) -> None:
    places, other = Places("salt"), Places("pepper")
    one, two = (places.address(symbol, network=network) for symbol in ("one", "two"))

    assert one == places.address("one", network=network) != two
    assert one != other.address("one", network=network)


def test_a_bank_account_has_check_digits_that_are_right() -> None:
    account = Places("salt").address("old_bank")

    assert int(account[4:] + "1314" + account[2:4]) % 97 == 1  # ISO 13616; D is 13, E is 14.


def test_a_pair_is_the_same_for_everybody() -> None:
    assert Places("salt").address("thin", network=MARKET) == PAIRS["thin"]


@pytest.mark.parametrize(("first", "last"), [(3, 4), (4, 3), (4, 4), (1, 0), (20, 19)])
def test_as_many_digits_are_the_same_and_no_more(first: int, last: int) -> None:
    for salt in range(60):
        places = Places(str(salt))
        like = {"resembles": "mine", "same_first": first, "same_last": last}
        hers = places.address("hers", like).removeprefix("0x")
        mine = places.address("mine", {}).removeprefix("0x")

        same = [one == other for one, other in zip(hers, mine, strict=True)]
        assert all(same[:first])
        assert not same[first]
        assert not same[39 - last]
        assert all(same[40 - last :])


def test_what_resembles_another_is_an_address_of_the_chain() -> None:
    with pytest.raises(NotPlayableError):
        Places("salt").address("bank", {"resembles": "old_bank", "same_first": 4}, network=BANK)


def test_a_name_on_a_list_is_on_the_network_of_the_exit_that_leads_there() -> None:
    steps: list[tuple[str, dict[str, Any]]] = [
        ("transfer.internal", {"counterparty": "bob"}),
        ("transfer.subaccount", {"to": "savings"}),
        ("withdrawal.fiat", {"destination": "landlord"}),
        ("trade.unusual", {"pair": "thin", "destination": "nobody"}),
        ("freeze.set", {"destination": "nobody"}),
        ("gift.send", {"counterparty": ["bob"]}),
        ("withdrawal.crypto", {"destination": "far", "network": "tron", "asset": "USDT"}),
        ("withdrawal.crypto", {"destination": "sunny", "asset": "SOL"}),
    ]
    networks = networks_in(steps)
    places = Places("salt", networks)

    books = {"bob": VENUE, "savings": SUBACCOUNT, "landlord": BANK}
    assert networks == {**books, "far": "tron", "sunny": "solana"}
    assert places.where("bob") == {
        "network": VENUE,
        "address": places.address("bob", network=VENUE),
    }
    assert places.network("nobody") == NETWORK
