"""A message to us counts when its endpoint signed it just now, by the standard's own library."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from twinlock.proofs.webhooks import (
    SIGNATURES_MOST,
    TOLERANCE,
    SignedHeaders,
    WebhookSignatureError,
    check,
    new_secret,
    shown_secret,
)

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
FIRST, SECOND = new_secret(b"a" * 64), new_secret(b"b" * 64)
BODY = '{"message_id":"ntc_1","outcome":"delivered"}'
SECOND_OF_TIME = timedelta(seconds=1)


def signed(body: str = BODY, *, at: datetime = NOON, secret: object = FIRST) -> SignedHeaders:
    assert secret in (FIRST, SECOND)
    webhook = Webhook(shown_secret(FIRST if secret is FIRST else SECOND))
    return SignedHeaders("cb_1", str(int(at.timestamp())), webhook.sign("cb_1", at, body))


def fits(headers: SignedHeaders, body: str = BODY) -> bool:
    try:
        check(headers, body.encode(), (FIRST, SECOND), now=NOON)
    except WebhookSignatureError:
        return False
    return True


@pytest.mark.parametrize("secret", [FIRST, SECOND])
def test_each_secret_in_force_signs(secret: object) -> None:
    assert fits(signed(secret=secret))


@pytest.mark.parametrize(
    ("off", "good"),
    [
        (TOLERANCE, True),
        (TOLERANCE + SECOND_OF_TIME, False),
        (-TOLERANCE, True),
        (-TOLERANCE - SECOND_OF_TIME, False),
    ],
)
def test_it_was_signed_just_now(off: timedelta, *, good: bool) -> None:
    assert fits(signed(at=NOON + off)) is good


def test_another_body_another_secret_and_no_secret_do_not_fit() -> None:
    assert not fits(signed(), BODY.replace("delivered", "failed"))
    with pytest.raises(WebhookSignatureError):
        check(signed(secret=SECOND), BODY.encode(), (FIRST,), now=NOON)
    with pytest.raises(WebhookSignatureError):
        check(signed(), BODY.encode(), (), now=NOON)


@pytest.mark.parametrize(
    "changed",
    [
        {"timestamp": ""},
        {"timestamp": "1e9"},
        {"timestamp": "-5"},
        {"timestamp": "9" * 13},
        {"message_id": ""},
        {"message_id": "cb 1"},
        {"message_id": "ü"},
        {"message_id": "x" * 129},
        {"message_id": "cb_2"},
        {"signature": ""},
        {"signature": "v1,"},
        {"signature": "v1a,AAAA"},
        {"signature": "ü"},
    ],
)
def test_malformed_headers_do_not_fit(changed: dict[str, str]) -> None:
    assert not fits(signed()._replace(**changed))


def test_so_many_signatures_are_read_and_no_more() -> None:
    right = signed()
    padded = " ".join(["v1,x"] * (SIGNATURES_MOST - 1) + [right.signature])
    beyond = " ".join(["v1,x"] * SIGNATURES_MOST + [right.signature])

    assert fits(right._replace(signature=padded))
    assert not fits(right._replace(signature=beyond))
