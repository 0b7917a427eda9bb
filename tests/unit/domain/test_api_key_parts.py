"""API keys by themselves: addresses, what is signed, and what no key may be made of."""

import hashlib

import pytest
from support.cast import NOON
from support.worlds import an_account, list_address, send

from twinlock.domain.account import OpenAction
from twinlock.domain.actions import AnyPayload, payload_bytes, payload_digest
from twinlock.domain.api_keys import key_helps, key_shown, lies_in, made, message, normal_ip
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.drafts import ScopeUnknownError, normal_network
from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.ids import ActionId, MemberId
from twinlock.domain.policy.facts import Within

HOME = "203.0.113.7"
DIGEST = payload_digest(payload_bytes(send()))


def an_action(payload: AnyPayload) -> OpenAction:
    return OpenAction(
        action_id=ActionId("act_1"),
        member_id=MemberId("mem_1"),
        payload=payload,
        digest=DIGEST,
        proposed_at=NOON,
        lapses_at=NOON,
        veto_key="",
    )


# --- What is signed ---


def test_a_message_is_of_one_action_and_of_one_payload() -> None:
    """Prevents: one signature for two proposals of the same payload, or for two payloads."""
    one = message(ActionId("act_1"), digest=DIGEST)

    assert len(one) == 32
    assert one != message(ActionId("act_2"), digest=DIGEST)
    assert one != message(ActionId("act_1"), digest=payload_digest(payload_bytes(send(51))))


def test_the_bytes_are_those_of_the_page() -> None:
    """docs/api.md, "API keys", and docs/log-format.md: other people's programs sign by them."""
    digest = from_b64url(DIGEST, size=32)
    by_hand = b"twinlock/api-key/v1" + bytes(1)
    for part in (b"act_1", digest):
        by_hand += len(part).to_bytes(8, "big") + part

    assert message(ActionId("act_1"), digest=DIGEST) == hashlib.sha256(by_hand).digest()


@pytest.mark.parametrize("digest", ["", "A" * 42, "A" * 44, "!" * 43, b64url(bytes(31))])
def test_a_digest_has_32_bytes(digest: str) -> None:
    with pytest.raises(MalformedError):
        message(ActionId("act_1"), digest=digest)


def test_keys_help_withdrawals_alone() -> None:
    assert key_helps(an_action(send()))
    assert not key_helps(an_action(list_address("0x1")))


def test_nothing_but_its_creation_makes_a_key() -> None:
    with pytest.raises(InvariantError):
        made(an_account(), an_action(send()), at=NOON, by=())


def test_of_what_nobody_signed_there_is_no_key() -> None:
    assert key_shown(an_account(), ()) is None


# --- Addresses ---


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
    ],
)
def test_an_address_has_one_form(text: str, one: str) -> None:
    assert normal_ip(text) == one


@pytest.mark.parametrize(
    "text", ["", "203.0.113", "203.0.113.07", "203.0.113.0/24", "localhost", "1" * 45]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="IPv4 or IPv6"):
        normal_ip(text)


@pytest.mark.parametrize(
    ("listed", "ip", "found"),
    [
        ((), HOME, Within.ANY),
        ((f"{HOME}/32",), HOME, Within.INSIDE),
        (("203.0.113.0/24", "2001:db8::/64"), "2001:db8::7", Within.INSIDE),
        (("203.0.113.0/24",), "203.0.114.0", Within.OUTSIDE),
        (("2001:db8::/64",), HOME, Within.OUTSIDE),
        ((f"{HOME}/32",), "", Within.OUTSIDE),
    ],
)
def test_an_address_lies_in_a_list_or_outside(
    listed: tuple[str, ...], ip: str, found: Within
) -> None:
    assert lies_in(listed, ip) is found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nowhere", "holds addresses or networks"),
        ("203.0.113.7/33", "holds addresses or networks"),
        ("203.0.113.7/24", "written by its first address"),
        ("2001:db8::1/48", "written by its first address"),
        ("203.0.112.0/23", "of one site"),
        ("2001:db8::/47", "of one site"),
        ("64:ff9b::/96", "of one site"),
        ("64:ff9b::/48", "of one site"),
        ("64:ff9b::cb00:7000/119", "of one site"),
        ("64:ff9b:1::/48", "of one site"),
    ],
)
def test_what_is_no_network_of_an_ip_list_is_told_apart(text: str, says: str) -> None:
    with pytest.raises(ScopeUnknownError, match=says):
        normal_network(text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("64:ff9b::203.0.113.0/120", "64:ff9b::cb00:7100/120"),
    ],
)
def test_an_address_is_a_network_of_one(text: str, normal: str) -> None:
    assert normal_network(text) == normal
