"""IP lists of API keys: one form for each network, and none that hides words or never matches."""

import pytest

from twinlock.domain.api_keys import lies_in, normal_ip
from twinlock.domain.drafts import ScopeUnknownError, normal_network
from twinlock.domain.errors import MalformedError
from twinlock.domain.policy.facts import Within


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.0/255.255.255.0", "203.0.113.0/24"),
        ("2001:DB8::/48", "2001:db8::/48"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::/64", "::/64"),
    ],
)
def test_a_network_has_one_form_and_ipv4_inside_ipv6_is_ipv4(text: str, one: str) -> None:
    assert normal_network(text) == one


def test_a_mapped_network_holds_the_addresses_that_it_names() -> None:
    """Prevents: a key whose network never matches, since addresses have another form."""
    listed = [normal_network("::ffff:203.0.113.0/120")]

    assert lies_in(listed, normal_ip("203.0.113.7")) is Within.INSIDE
    assert lies_in(listed, normal_ip("::ffff:203.0.113.7")) is Within.INSIDE
    assert lies_in(listed, normal_ip("203.0.114.7")) is Within.OUTSIDE


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("fe80::1%eth0", id="a zone"),
        pytest.param("fe80::%\u202e evil\n", id="what turns a line around, in what is signed"),
        pytest.param("2001:db8::7% approve: only reads ", id="words for whoever signs"),
        pytest.param("::ffff:203.0.113.7%1", id="a zone of IPv4"),
        pytest.param("::ffff:0:0/96", id="all of IPv4"),
        pytest.param("::ffff:203.0.0.0/119", id="more than a site of IPv4"),
        pytest.param("::ffff:0:0/95", id="more than IPv4 inside IPv6"),
        pytest.param("203.0.113.0/23", id="bits behind the mask"),
        pytest.param("2001:db8::/47", id="more than a site"),
        pytest.param("localhost", id="a name"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_network_of_one_site_is_refused(text: str) -> None:
    with pytest.raises(ScopeUnknownError):
        normal_network(text)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "2001:db8::7%x", "::ffff:203.0.113.7%1"])
def test_an_address_with_a_zone_is_of_no_use_to_a_list(text: str) -> None:
    with pytest.raises(MalformedError):
        normal_ip(text)
