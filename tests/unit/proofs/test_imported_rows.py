"""Rows of an older system: what of them becomes an account, and why a row does not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from support.imports import ADDRESS, BCRYPT, OLD_SITE, SEED, SOURCE, TERMS, a_row, base32, read
from support.imports import an_old_passkey as a_key_of
from support.policies import STRICT, policy_of, with_rules

from twinlock.domain.account import Account
from twinlock.domain.assurance import Level, Placement
from twinlock.domain.authenticators.model import Passkey, Password, Totp, root
from twinlock.domain.canonical import b64url
from twinlock.domain.channels import ChannelKind
from twinlock.domain.ids import AccountId
from twinlock.domain.importing.faults import SENTENCES, RowFault, RowRefusedError
from twinlock.domain.importing.naming import imported_account_id, parts_of
from twinlock.domain.policy.version import Policy
from twinlock.proofs import totp
from twinlock.proofs.importing import Arrival, arrival
from twinlock.range.authenticator import SoftwareAuthenticator

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
NAMED = imported_account_id("log.example", "customer-1")
OLD = SoftwareAuthenticator(b"old".ljust(32), transports=("usb",))
ED25519 = b64url(bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
SMALL_ORDER = b64url(bytes.fromhex("01" + "00" * 31))
DESTINATION = {"network": "ethereum", "address": ADDRESS}


def an_old_passkey(**more: object) -> dict[str, object]:
    return {**a_key_of(OLD), **more}


def arrived(**more: object) -> Arrival:
    return arrived_under(TERMS.policy, **more)


def arrived_under(policy: Policy, **more: object) -> Arrival:
    row = read(a_row(**more))  # type: ignore[arg-type] # a row's members
    terms = replace(TERMS, policy=policy)
    return arrival(row, named=NAMED, label_key=bytes(32), source=SOURCE, terms=terms, now=NOON)


def opened(**more: object) -> Account:
    return arrived(**more).account


def refused(**more: object) -> tuple[RowFault, str]:
    with pytest.raises(RowRefusedError) as error:
        arrived(**more)
    return error.value.fault, error.value.column


def test_all_of_it_is_of_one_age_and_bound_by_the_first_entry() -> None:
    account = opened(
        phones=["+1 (555) 0100-00"],
        totp=[{"seed": base32(SEED), "name": "phone"}],
        passkeys=[an_old_passkey()],
        api_keys=[{"public_key": ED25519, "scopes": ["trade", "read"], "ip_list": ["192.0.2.1"]}],
    )
    ages = {one.bound_at for one in (*account.authenticators, *account.channels)}
    ids = [one.authenticator_id for one in account.authenticators]
    ids += [one.channel_id for one in account.channels]  # type: ignore[misc] # texts as well

    assert ages == {account.opened_at} == {NOON}
    assert {one.entry for one in (*account.authenticators, *account.channels)} == {0}
    assert len({*ids}) == len(ids)
    assert (account.imported, account.enrolling_until) == (SOURCE, None)
    assert [one.kind for one in account.channels] == [ChannelKind.EMAIL, ChannelKind.SMS]
    assert account.channels[1].address == "+1555010000"


@pytest.mark.parametrize(
    ("more", "floor"),
    [
        ({}, Level.OUT_OF_BAND),
        ({"totp": [{"seed": base32(SEED)}]}, Level.POSSESSION),
        ({"passkeys": [an_old_passkey()]}, Level.PHISHING_RESISTANT),
        ({"passkeys": [an_old_passkey()], "password_hash": ""}, Level.PHISHING_RESISTANT),
    ],
)
def test_the_floor_follows_from_what_is_imported(more: dict[str, Any], floor: Level) -> None:
    assert opened(**more).floor is floor


def test_a_passkey_is_the_phone_s_whatever_its_file_says_of_it() -> None:
    (bound,) = opened(
        password_hash="", passkeys=[an_old_passkey(transports=["usb"])]
    ).authenticators

    assert isinstance(bound, Passkey)
    assert (bound.rp_id, bound.placement, root(bound, now=NOON)) == (
        OLD_SITE,
        Placement.PHONE,
        "phone",
    )


def test_codes_of_before_the_import_are_used_up() -> None:
    account = opened(totp=[{"seed": base32(SEED)}])
    (app,) = (one for one in account.authenticators if isinstance(one, Totp))

    assert app.last_step == totp.step_at(NOON) + totp.WINDOW


def test_a_hash_is_kept_in_one_form() -> None:
    word = opened(password_hash="bcrypt$" + BCRYPT).authenticators[0]

    assert isinstance(word, Password)
    assert word.verifier == BCRYPT


def test_an_api_key_stands_for_no_proof_and_no_destination() -> None:
    (key,) = opened(api_keys=[{"public_key": ED25519, "scopes": ["read", "read"]}]).api_keys

    assert (key.scopes, key.proved_by, key.destinations, key.daily_cents) == (("read",), (), (), 0)


def test_an_api_key_is_known_by_the_integrator_that_it_was_made_for() -> None:
    key = {"public_key": ED25519, "scopes": ["read"], "integrator": "example-bot"}

    assert opened(api_keys=[key]).api_keys[0].integrator == "example-bot"


def test_destinations_are_listed_in_their_one_form() -> None:
    made = arrived(destinations=[{**DESTINATION, "address": ADDRESS.upper().replace("X", "x")}])

    assert [one.address for one in made.listed] == [ADDRESS]


def test_what_the_policy_takes_no_sign_in_by_is_no_way_in() -> None:
    """Prevents: a customer who moves in, and can neither sign in nor bind what would let them."""
    app = [{"seed": base32(SEED)}]
    with pytest.raises(RowRefusedError) as error:
        arrived_under(STRICT, totp=app)
    from_new_devices = policy_of(
        with_rules(
            '@id("new") @outcome("challenge") @reason("proof_needed") @factors("passkey") '
            'forbid (principal, action == Action::"session.start", resource) '
            'when { context.new_device } unless { context.factors.contains("passkey") };'
        )
    )

    assert error.value.fault is RowFault.WAY_IN_MISSING
    assert arrived_under(STRICT, passkeys=[an_old_passkey()]).account.authenticators
    assert arrived_under(from_new_devices, totp=app).account.authenticators


TOO_MANY_KEYS = [an_old_passkey(credential_id=b64url(bytes([n]) * 16)) for n in range(8)]
REFUSED: list[tuple[dict[str, Any], RowFault, str]] = [
    ({"reference": "=1+1"}, RowFault.FORMULA, "reference"),
    ({"reference": "-2"}, RowFault.FORMULA, "reference"),
    ({"reference": "a@example.com"}, RowFault.REFERENCE_PERSONAL, "reference"),
    ({"reference": "a\tb"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "c-1 "}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "c-1\u00a0"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "c-1\u200b"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "c-1\u115f"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "c-1\ufe0f"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "c-1\u034f"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "\u28001"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "\ufeffc-1"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "e\u0301"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "\uff11"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"reference": "\N{RIGHT-TO-LEFT OVERRIDE}x"}, RowFault.TEXT_UNREADABLE, "reference"),
    ({"emails": ["+cmd@example.com"]}, RowFault.FORMULA, "emails[0]"),
    ({"emails": []}, RowFault.CHANNEL_MISSING, "emails"),
    ({"emails": ["no address"]}, RowFault.CHANNEL_REFUSED, "emails[0]"),
    ({"emails": ["a@x.de", "a@X.de"]}, RowFault.CHANNEL_REFUSED, "emails[1]"),
    ({"phones": ["0151 23"]}, RowFault.CHANNEL_REFUSED, "phones[0]"),
    ({"phones": [f"+155501000{n}" for n in range(4)]}, RowFault.TOO_MANY, "phones"),
    ({"password_hash": ""}, RowFault.WAY_IN_MISSING, "password_hash"),
    (
        {"password_hash": "", "totp": [{"seed": base32(SEED)}]},
        RowFault.WAY_IN_MISSING,
        "password_hash",
    ),
    ({"password_hash": "0" * 32}, RowFault.PASSWORD_HASH_UNKNOWN, "password_hash"),
    (
        {"password_hash": "$pbkdf2-sha256$2147483648$c2FsdHNhbHQ$" + "A" * 43},
        RowFault.PASSWORD_HASH_COSTLY,
        "password_hash",
    ),
    ({"totp": [{"seed": "0189"}]}, RowFault.TOTP_SEED_MALFORMED, "totp[0].seed"),
    ({"totp": [{"seed": "\u00e9" * 16}]}, RowFault.TOTP_SEED_MALFORMED, "totp[0].seed"),
    ({"totp": [{"seed": "\u0131\u017f" * 8}]}, RowFault.TOTP_SEED_MALFORMED, "totp[0].seed"),
    ({"totp": [{"seed": base32(SEED[:9])}]}, RowFault.TOTP_SEED_SIZE, "totp[0].seed"),
    ({"totp": [{"seed": base32(bytes(65))}]}, RowFault.TOTP_SEED_SIZE, "totp[0].seed"),
    ({"totp": [{"seed": base32(SEED), "digits": 8}]}, RowFault.TOTP_UNSUPPORTED, "totp[0]"),
    ({"totp": [{"seed": base32(SEED), "period": 60}]}, RowFault.TOTP_UNSUPPORTED, "totp[0]"),
    (
        {"totp": [{"seed": base32(SEED), "algorithm": "SHA256"}]},
        RowFault.TOTP_UNSUPPORTED,
        "totp[0]",
    ),
    ({"totp": [{"seed": base32(SEED)}] * 2}, RowFault.TOTP_TWICE, ""),
    ({"totp": [{"seed": base32(SEED), "name": "@x"}]}, RowFault.FORMULA, "totp[0].name"),
    ({"passkeys": [an_old_passkey(credential_id="?")]}, RowFault.PASSKEY_MALFORMED, "passkeys[0]"),
    (
        {"passkeys": [an_old_passkey(public_key=b64url(bytes(77)))]},
        RowFault.PASSKEY_KEY_REFUSED,
        "passkeys[0].public_key",
    ),
    (
        {"passkeys": [an_old_passkey(backed_up=True)]},
        RowFault.PASSKEY_FLAGS_WRONG,
        "passkeys[0].backed_up",
    ),
    (
        {"passkeys": [an_old_passkey(rp_id="else.example")]},
        RowFault.PASSKEY_SITE_UNKNOWN,
        "passkeys[0].rp_id",
    ),
    ({"passkeys": [an_old_passkey()] * 2}, RowFault.PASSKEY_TWICE, ""),
    ({"passkeys": TOO_MANY_KEYS}, RowFault.TOO_MANY, "passkeys"),
    (
        {"totp": [{"seed": base32(bytes([n]) * 20)} for n in range(8)]},
        RowFault.TOO_MANY,
        "totp",
    ),
    (
        {"destinations": [{"network": "nowhere", "address": ADDRESS}]},
        RowFault.DESTINATION_REFUSED,
        "destinations[0]",
    ),
    (
        {"destinations": [{"network": "ethereum", "address": "0x12"}]},
        RowFault.DESTINATION_REFUSED,
        "destinations[0]",
    ),
    ({"destinations": [DESTINATION] * 2}, RowFault.DESTINATION_TWICE, "destinations[1]"),
    (
        {"destinations": [{**DESTINATION, "label": "=HYPERLINK()"}]},
        RowFault.FORMULA,
        "destinations[0].label",
    ),
    ({"api_keys": [{"secret": "s"}]}, RowFault.API_KEY_SYMMETRIC, "api_keys[0].secret"),
    (
        {"api_keys": [{"public_key": SMALL_ORDER, "scopes": ["read"]}]},
        RowFault.API_KEY_REFUSED,
        "api_keys[0].public_key",
    ),
    (
        {"api_keys": [{"public_key": ED25519, "scopes": ["withdraw"]}]},
        RowFault.API_KEY_POWERS,
        "api_keys[0].scopes",
    ),
    ({"api_keys": [{"public_key": ED25519}]}, RowFault.API_KEY_POWERS, "api_keys[0].scopes"),
    (
        {"api_keys": [{"public_key": ED25519, "scopes": ["read"], "ip_list": ["0.0.0.0/0"]}]},
        RowFault.API_KEY_NETWORK,
        "api_keys[0].ip_list",
    ),
    (
        {"api_keys": [{"public_key": ED25519, "scopes": ["read"]}] * 2},
        RowFault.API_KEY_TWICE,
        "api_keys[1]",
    ),
]


@pytest.mark.parametrize(
    ("more", "fault", "column"), REFUSED, ids=[f"{n}-{one[1]}" for n, one in enumerate(REFUSED)]
)
def test_a_row_that_is_not_sound_is_refused_whole(
    more: dict[str, Any], fault: RowFault, column: str
) -> None:
    assert refused(**more) == (fault, column)


def test_seeds_of_early_apps_are_taken() -> None:
    assert len(opened(totp=[{"seed": "abcd efgh ijkl mnop"}]).authenticators) == 2


def test_a_telephone_number_begins_with_a_plus_and_is_no_formula() -> None:
    assert opened(emails=[], phones=["+15550100000"]).channels[0].address == "+15550100000"


def test_every_fault_has_its_sentence() -> None:
    assert set(SENTENCES) == set(RowFault)
    assert all(one.endswith(".") for one in SENTENCES.values())


def test_names_follow_from_installation_and_reference_and_from_nothing_else() -> None:
    assert imported_account_id("log.example", "customer-1") == NAMED
    others = {
        imported_account_id("log.example", "customer-2"),
        imported_account_id("other.example", "customer-1"),
        imported_account_id("log.exampl", "ecustomer-1"),
    }
    assert len(others - {NAMED}) == 3
    assert len({*parts_of(NAMED, 100)}) == 100
    assert parts_of(NAMED, 3) == parts_of(NAMED, 5)[:3]
    assert parts_of(NAMED, 1) != parts_of(AccountId("acc_" + "a" * 26), 1)
