"""Whose signals are believed, and whom they speak of."""

from typing import Any

import pytest
from support.cast import ALICE
from support.transmitters import ISSUER, mail_stream

from twinlock.domain.signal_streams import (
    ALIASES_MOST,
    Named,
    StreamRefusedError,
    check_stream,
    kind_of,
    named_by,
)
from twinlock.domain.signals import RISC, SignalKind

MAILBOX = Named(address="Alice@mail.example")
EMAIL = {"format": "email", "email": "Alice@MAIL.example"}


@pytest.mark.parametrize(
    ("subject", "means"),
    [
        (EMAIL, (MAILBOX,)),
        ({"format": "account", "uri": "acct:Alice@mail.example"}, (MAILBOX,)),
        ({"format": "account", "uri": "ACCT:%41lice@mail.example"}, (MAILBOX,)),
        ({"format": "account", "uri": "Alice@mail.example"}, (MAILBOX,)),
        (
            {"format": "email", "email": "+Alice@mail.example"},
            (Named(address="+Alice@mail.example"),),
        ),
        (
            {"format": "phone_number", "phone_number": "+1 555 0100 200"},
            (Named(address="+15550100200"),),
        ),
        ({"format": "opaque", "id": ALICE}, (Named(account=ALICE),)),
        ({"format": "iss_sub", "iss": ISSUER, "sub": ALICE}, (Named(account=ALICE),)),
        ({"format": "iss_sub", "iss": "https://evil.example/", "sub": ALICE}, ()),
        ({"format": "opaque", "id": "alice"}, ()),
        ({"format": "opaque", "id": 7}, ()),
        ({"format": "email", "email": "no address"}, ()),
        ({"format": "email"}, ()),
        ({"format": "account", "uri": 7}, ()),
        ({"format": "did", "url": "did:example:1"}, ()),
        ({}, ()),
        ({"format": "aliases", "identifiers": [EMAIL, {"format": "aliases"}, "x"]}, (MAILBOX,)),
        ({"format": "aliases", "identifiers": [EMAIL] * 99}, (MAILBOX,) * ALIASES_MOST),
        ({"format": "aliases", "identifiers": "x"}, ()),
    ],
)
def test_a_subject_means_an_account_or_whoever_has_an_address(
    subject: dict[str, Any], means: tuple[Named, ...]
) -> None:
    assert named_by(subject, issuer=ISSUER) == means


def test_a_stream_hears_what_its_operator_wants() -> None:
    one = check_stream(mail_stream(events=("recovery-activated",)))

    assert one.hears(SignalKind.RECOVERY_ACTIVATED)
    assert not one.hears(SignalKind.SESSION_REVOKED)
    assert check_stream(mail_stream()).hears(SignalKind.SESSION_REVOKED)


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_id": "Mail"},
        {"issuer": "a b"},
        {"audience": ""},
        {"keys": ""},
        {"keys_url": "https://mail.example/keys"},
        {"events": ("nothing-like-it",)},
        {"events": ()},
        {"daily_most": 0},
    ],
)
def test_a_stream_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(StreamRefusedError):
        check_stream(mail_stream(**changes))


def test_an_event_is_known_by_the_name_that_its_standard_gives_it() -> None:
    assert kind_of(f"{RISC}recovery-activated") is SignalKind.RECOVERY_ACTIVATED
    assert kind_of("recovery-activated") is None
