"""Receivers and streams: what can be, what is delivered, and whom a subject names."""

from ipaddress import ip_network
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, NOON

from twinlock.domain.transmitting.streams import (
    Followed,
    Form,
    Receiver,
    ReceiverId,
    ReceiverRefusedError,
    StreamId,
    ToldStream,
    ToldStreamRefusedError,
    ToldStreamUnknownError,
    check_push,
    check_receiver,
    check_requested,
    check_text,
    identifier,
    named_subject,
    parse_stream_id,
)
from twinlock.domain.transmitting.told import EMITTED, URIS
from twinlock.domain.webhooks.targets import Reach, WebhookUrlRefusedError

ISSUER = "https://id.example.com"
PUBLIC = Reach()
RECEIVER = Receiver(
    receiver_id=ReceiverId("rcv_1"),
    name="broker",
    audience="https://broker.example/signals",
    token_digest="x",  # noqa: S106 - of no token
    push_to=("https://broker.example",),
)
STREAM = ToldStream(
    stream_id=StreamId("ssf_" + "a" * 26),
    receiver_id=RECEIVER.receiver_id,
    audience=RECEIVER.audience,
    requested=tuple(URIS[kind] for kind in EMITTED),
    added_at=NOON,
    endpoint_url="https://broker.example/geheim",
    authorization="Bearer geheim",
)
DISABLED = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"


def test_a_receiver_is_returned_as_it_is() -> None:
    assert check_receiver(RECEIVER, reach=PUBLIC) is RECEIVER


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Broker"}, "name"),
        ({"name": "b" * 33}, "name"),
        ({"name": ""}, "name"),
        ({"audience": "two words"}, "audience"),
        ({"audience": ""}, "audience"),
        ({"audience": "x" * 257}, "audience"),
        ({"events": ()}, "account-disabled"),
        ({"events": ("*", "opt-in")}, "account-disabled"),
        ({"push_to": ("https://broker.example/",)}, "without a path"),
        ({"push_to": ("https://broker.example/x",)}, "without a path"),
    ],
)
def test_a_receiver_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ReceiverRefusedError, match=says):
        check_receiver(replace(RECEIVER, **changes), reach=PUBLIC)


@pytest.mark.parametrize("origin", ["https://10.0.0.1", "http://broker.example", "ftp://x.example"])
def test_a_receiver_is_at_a_place_that_may_be_reached(origin: str) -> None:
    with pytest.raises(WebhookUrlRefusedError):
        check_receiver(replace(RECEIVER, push_to=(origin,)), reach=PUBLIC)


def test_a_stream_delivers_what_was_asked_for_and_allowed() -> None:
    narrow = replace(RECEIVER, events=("account-disabled",))
    little = replace(STREAM, requested=(URIS[next(iter(EMITTED))], "https://x.example/e"))

    assert STREAM.delivers(RECEIVER) == {URIS[kind] for kind in EMITTED}
    assert STREAM.delivers(narrow) == {DISABLED}
    assert little.delivers(RECEIVER) == set(little.requested[:1])


def test_a_stream_does_not_show_what_may_be_secret() -> None:
    assert "geheim" not in repr(STREAM)


def test_events_that_nobody_knows_are_dropped() -> None:
    assert check_requested([DISABLED, "x", DISABLED]) == (DISABLED,)
    assert check_requested(["x"] * 64) == ()
    with pytest.raises(ToldStreamRefusedError):
        check_requested(["x"] * 65)


@pytest.mark.parametrize(
    ("url", "header", "says"),
    [
        ("https://broker.example.evil.example/x", "", "agreed"),
        ("https://broker.example:8443/x", "", "endpoint_url"),
        ("https://user@broker.example/x", "", "endpoint_url"),
        ("https://127.0.0.1/x", "", "endpoint_url"),
        ("", "", "endpoint_url"),
        ("https://broker.example/x", "a\r\nb: c", "authorization_header"),
        ("https://broker.example/x", "x" * 2_049, "authorization_header"),
    ],
)
def test_a_push_goes_nowhere_that_was_not_agreed_on(url: str, header: str, says: str) -> None:
    with pytest.raises(ToldStreamRefusedError, match=says):
        check_push(url, header, receiver=RECEIVER, reach=PUBLIC)


def test_a_push_goes_to_an_origin_that_was_agreed_on() -> None:
    check_push("https://broker.example/x?y=1", "x" * 2_048, receiver=RECEIVER, reach=PUBLIC)
    check_push("https://broker.example/x", "", receiver=RECEIVER, reach=PUBLIC)


def test_a_private_network_that_webhooks_reach_is_not_a_receivers() -> None:
    reach = Reach(networks=(ip_network("10.0.0.0/8"),))
    with pytest.raises(ToldStreamRefusedError, match="agreed"):
        check_push("https://10.0.0.1/x", "", receiver=RECEIVER, reach=reach)


def test_a_text_is_short_and_printable() -> None:
    assert check_text("x" * 256, "reason") == "x" * 256
    for text in ("x" * 257, "\x00"):
        with pytest.raises(ToldStreamRefusedError, match="reason"):
            check_text(text, "reason")


def test_a_streams_id_has_its_form() -> None:
    assert parse_stream_id(STREAM.stream_id) == STREAM.stream_id
    for text in ("", "ssf_", STREAM.stream_id + "a", "wh_" + "a" * 26):
        with pytest.raises(ToldStreamUnknownError):
            parse_stream_id(text)


@pytest.mark.parametrize(
    ("subject", "form"),
    [
        ({"format": "opaque", "id": ALICE}, Form.OPAQUE),
        ({"format": "iss_sub", "iss": ISSUER, "sub": ALICE}, Form.ISS_SUB),
    ],
)
def test_an_account_is_named_by_its_id_and_told_as_it_was_named(
    subject: dict[str, Any], form: Form
) -> None:
    named = Followed(account=ALICE, form=form)
    session = {"format": "opaque", "id": "ses_1"}
    complex_one = {"format": "complex", "user": subject, "session": session}

    assert named_subject(subject, issuer=ISSUER) == named
    assert named_subject(complex_one, issuer=ISSUER) == named
    assert identifier(named, issuer=ISSUER) == subject
    assert identifier(named, issuer=ISSUER, session="ses_1") == complex_one


@pytest.mark.parametrize(
    "subject",
    [
        {"format": "email", "email": "alice@example.com"},
        {"format": "phone_number", "phone_number": "+12065550100"},
        {"format": "account", "uri": "acct:alice@example.com"},
        {"format": "aliases", "identifiers": [{"format": "opaque", "id": ALICE}]},
        {"format": "opaque", "id": "alice"},
        {"format": "opaque", "id": 7},
        {"format": "opaque"},
        {"format": "iss_sub", "iss": "https://other.example", "sub": ALICE},
        {"format": "complex", "user": {"format": "email", "email": "alice@example.com"}},
    ],
)
def test_nobody_is_named_by_anything_else(subject: dict[str, Any]) -> None:
    assert named_subject(subject, issuer=ISSUER) is None


@pytest.mark.parametrize(
    "subject",
    [
        {},
        {"format": 7},
        {"format": "complex"},
        {"format": "complex", "user": "x"},
        {"format": "complex", "user": {"format": "complex", "user": {}}},
    ],
)
def test_what_is_no_subject_is_refused(subject: dict[str, Any]) -> None:
    with pytest.raises(ToldStreamRefusedError):
        named_subject(subject, issuer=ISSUER)
