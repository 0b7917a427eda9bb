"""The claims of an authorization: from when until when, and for what alone."""

from datetime import timedelta

import msgspec
import pytest
from support.cast import ALICE, NOON
from support.worlds import send

from twinlock.domain.actions import payload_bytes, payload_digest
from twinlock.domain.authorization import Authorization, Issued, authorization, claims
from twinlock.domain.bounds import AUTHORIZATION_LIFETIME, SPEND_LIFETIME
from twinlock.domain.canonical import encode
from twinlock.domain.policy.version import PolicyName

ISSUED = Issued(
    log_origin="log.example/a",
    policy=PolicyName(version=3, digest="policy"),
    facts="facts",
    index=7,
    at=NOON,
)
PAYLOAD = payload_bytes(send())
NOW = int(NOON.timestamp())


@pytest.mark.parametrize(
    ("spend", "lifetime"),
    [
        (("", ""), AUTHORIZATION_LIFETIME),
        (("", "5"), AUTHORIZATION_LIFETIME),
        (("spend-1", "5"), SPEND_LIFETIME),
        (("spend-1", ""), SPEND_LIFETIME),
    ],
)
def test_an_authorization_says_what_it_is_for_and_when_it_ends(
    spend: tuple[str, str], lifetime: timedelta
) -> None:
    """Prevents: an authorization that outlives its spend, or one that nobody can use."""
    expected = Authorization(
        iss="log.example/a",
        jti="act_1",
        iat=NOW,
        exp=NOW + int(lifetime.total_seconds()),
        type="withdrawal.crypto",
        account=ALICE,
        payload=msgspec.json.decode(PAYLOAD),
        payload_digest=payload_digest(PAYLOAD),
        policy="policy",
        policy_version=3,
        facts="facts",
        index=7,
        spend=spend[0],
        fee_minor=spend[1],
    )

    assert authorization(ISSUED, action_id="act_1", payload=PAYLOAD, spend=spend) == expected
    assert claims(ISSUED, action_id="act_1", payload=PAYLOAD, spend=spend) == encode(expected)


def test_the_spend_ends_sooner_than_the_yes() -> None:
    assert timedelta(0) < SPEND_LIFETIME < AUTHORIZATION_LIFETIME


def test_before_the_spend_none_is_named() -> None:
    one = authorization(ISSUED, action_id="act_1", payload=PAYLOAD)

    assert (one.spend, one.fee_minor) == ("", "")
