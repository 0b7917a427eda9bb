"""From drafts to payloads: channels, reports and a reset, in their one form."""

from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE
from support.worlds import EMAIL, PASSWORD, SYNCED, an_account

from twinlock.domain.actions import (
    AuthenticatorReactivate,
    AuthenticatorRemove,
    AuthenticatorRepudiate,
    AuthenticatorSuspend,
    ContactChange,
    ContactRepudiate,
)
from twinlock.domain.changes import CHANGES, NotFoundError, change, reset
from twinlock.domain.contacts import ChannelAddressError
from twinlock.domain.errors import MalformedError

ACCOUNT = an_account(PASSWORD, SYNCED)
FRESH = "f" * 26
NAMED = {
    "authenticator.remove": AuthenticatorRemove,
    "authenticator.suspend": AuthenticatorSuspend,
    "authenticator.reactivate": AuthenticatorReactivate,
    "authenticator.repudiate": AuthenticatorRepudiate,
}


@pytest.mark.parametrize("kind", NAMED)
def test_an_authenticator_is_named_by_its_id(kind: str) -> None:
    made, secret = change(kind, {"authenticator_id": "aut_passkey"}, ACCOUNT, fresh=FRESH)

    assert made == NAMED[kind](account=ALICE, authenticator_id="aut_passkey")
    assert secret == ""
    with pytest.raises(NotFoundError):
        change(kind, {"authenticator_id": "aut_nobody"}, ACCOUNT, fresh=FRESH)


@pytest.mark.parametrize(
    ("draft", "payload", "secret"),
    [
        (
            {"kind": "sms", "address": "+1 555 0100"},
            ContactChange(account=ALICE, new_kind="sms", new_address="+15550100"),
            f"chn_{FRESH}",
        ),
        (
            {"channel_id": "chn_email"},
            ContactChange(
                account=ALICE,
                channel_id="chn_email",
                old_kind="email",
                old_address=EMAIL.address,
            ),
            "",
        ),
        (
            {"channel_id": "chn_email", "kind": "email", "address": "a@EXAMPLE.org"},
            ContactChange(
                account=ALICE,
                channel_id="chn_email",
                old_kind="email",
                old_address=EMAIL.address,
                new_kind="email",
                new_address="a@example.org",
            ),
            f"chn_{FRESH}",
        ),
    ],
)
def test_a_change_names_what_goes_and_what_comes(
    draft: dict[str, Any], payload: ContactChange, secret: str
) -> None:
    assert change("contact.change", draft, ACCOUNT, fresh=FRESH) == (payload, secret)


@pytest.mark.parametrize(
    ("draft", "error"),
    [
        ({}, MalformedError),
        ({"kind": "email"}, MalformedError),
        ({"address": "a@example.org"}, MalformedError),
        ({"kind": "email", "address": ""}, MalformedError),
        ({"kind": "email", "address": "a@example.org", "more": ""}, MalformedError),
        ({"kind": "email", "address": "+15550100"}, ChannelAddressError),
        ({"channel_id": "chn_nobody"}, NotFoundError),
    ],
)
def test_a_change_of_nothing_or_of_another_form_is_refused(
    draft: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        change("contact.change", draft, ACCOUNT, fresh=FRESH)


def test_a_channel_is_repudiated_also_when_another_took_its_place() -> None:
    new = replace(EMAIL, channel_id="chn_new", replaced=EMAIL)
    account = an_account(PASSWORD, channels=(new,))
    made = change("contact.repudiate", {"channel_id": "chn_email"}, account, fresh=FRESH)

    assert made == (ContactRepudiate(account=ALICE, channel_id="chn_email"), "")
    for nobody in ("chn_nobody", "aut_password"):
        with pytest.raises(NotFoundError):
            change("contact.repudiate", {"channel_id": nobody}, account, fresh=FRESH)


def test_a_reset_replaces_the_password_or_makes_the_first() -> None:
    again = reset(ACCOUNT, "new hash", fresh=FRESH)
    first = reset(an_account(SYNCED), "new hash", fresh=FRESH)

    assert again == replace(PASSWORD, verifier="new hash")
    assert (first.authenticator_id, first.verifier) == (f"aut_{FRESH}", "new hash")
    assert (first.bound_at, first.entry) == (ACCOUNT.opened_at, 0)
    others = {"contact.change", "contact.repudiate", "trusted_contact.remove", "member.remove"}
    assert set(NAMED) | others == CHANGES
