import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from twinlock.domain.errors import InvariantError
from twinlock.domain.webhooks.endpoints import Secret
from twinlock.domain.webhooks.outcomes import Message, MessageType
from twinlock.proofs.webhooks import headers, new_secret, shown_public, shown_secret

OLD, NEW = new_secret(bytes(range(64))), new_secret(bytes(range(64, 128)))
MESSAGE = Message(
    message_id="msg_" + "a" * 26,
    kind=MessageType.ACTION_HELD,
    body=b'{"data":{"index":7},"type":"action.held"}',
    index=7,
    at=datetime(2026, 1, 15, 12, tzinfo=UTC),
)


@pytest.fixture
def sent() -> dict[str, str]:
    now = int(datetime.now(UTC).timestamp())  # Their library looks at the clock of the wall.
    return headers(MESSAGE, (NEW, OLD), timestamp=now)


@pytest.mark.parametrize("secret", [OLD, NEW], ids=["the older secret", "the younger secret"])
def test_the_standards_own_library_takes_what_we_sign(secret: Secret, sent: dict[str, str]) -> None:
    told = Webhook(shown_secret(secret)).verify(MESSAGE.body, sent)

    assert sorted(sent) == ["webhook-id", "webhook-signature", "webhook-timestamp"]
    assert "\n" not in shown_secret(secret) + shown_public(secret) + sent["webhook-signature"]
    assert told == json.loads(MESSAGE.body)


def test_it_takes_no_other_body(sent: dict[str, str]) -> None:
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(shown_secret(NEW)).verify(MESSAGE.body.replace(b"7", b"8"), sent)


@pytest.mark.parametrize("field", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_it_takes_no_field_that_was_changed(field: str, sent: dict[str, str]) -> None:
    changed = {
        "webhook-id": "msg_" + "b" * 26,
        "webhook-timestamp": str(int(sent["webhook-timestamp"]) + 1),
        "webhook-signature": "v1,AAAA",
    }
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(shown_secret(NEW)).verify(MESSAGE.body, {**sent, field: changed[field]})


def test_it_does_not_take_another_secrets_signature(sent: dict[str, str]) -> None:
    other = new_secret(bytes(64))

    with pytest.raises(WebhookVerificationError):
        Webhook(shown_secret(other)).verify(MESSAGE.body, sent)


def test_each_secret_signs_in_both_ways_the_youngest_first(sent: dict[str, str]) -> None:
    versions = [one.partition(",")[0] for one in sent["webhook-signature"].split(" ")]

    assert versions == ["v1", "v1a", "v1", "v1a"]


def test_the_public_key_takes_the_asymmetric_signature_and_no_other_message(
    sent: dict[str, str],
) -> None:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown_public(NEW)[len("whpk_") :]))
    asymmetric = sent["webhook-signature"].split(" ")[1].removeprefix("v1a,")
    signed = f"{MESSAGE.message_id}.{sent['webhook-timestamp']}.".encode() + MESSAGE.body

    key.verify(base64.b64decode(asymmetric), signed)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(asymmetric), signed + b" ")


def test_a_secret_is_shown_in_the_standards_form() -> None:
    shown = shown_secret(OLD)

    assert base64.b64decode(shown.removeprefix("whsec_")) == bytes(range(32))
    assert "hidden" in repr(OLD)
    assert shown.removeprefix("whsec_")[:8] not in repr(OLD)


def test_a_secret_takes_all_of_its_random_bytes() -> None:
    with pytest.raises(InvariantError):
        new_secret(bytes(63))


def test_nobody_copies_the_standards_library_into_the_program() -> None:
    source = Path(__file__).resolve().parents[3] / "src"

    assert not [path for path in source.rglob("*.py") if "standardwebhooks" in path.read_text()]
