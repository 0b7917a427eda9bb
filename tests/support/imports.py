"""Customers of an older system for tests: rows, files of them, and the use case that takes them."""

import base64
from typing import Any

import bcrypt
import msgspec
from support.policies import DEFAULT
from support.service import Service

from twinlock.adapters.sql.arrivals import SqlArrivals
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemEntropy
from twinlock.bootstrap.checking_rows import Begin, checking_here
from twinlock.bootstrap.rulebook import BookPolicies, rule_book
from twinlock.domain.canonical import b64url
from twinlock.domain.importing.naming import imported_account_id
from twinlock.domain.importing.rows import Row
from twinlock.proofs.importing import Terms
from twinlock.range.authenticator import SoftwareAuthenticator
from twinlock.services.importing.admitting import Importing
from twinlock.services.importing.reading import Format, Layout

OLD_PASSWORD = "what alice always took"  # noqa: S105 - of a test account
OLD_SITE = "old.example"
SOURCE = b64url(b"a file".ljust(32, b"."))
SEED = b"a seed of an older system"[:20]
BCRYPT = bcrypt.hashpw(OLD_PASSWORD.encode(), bcrypt.gensalt(8)).decode()
LAYOUT = Layout(form=Format.JSONL, renames={})
TERMS = Terms(policy=DEFAULT, sites=frozenset({OLD_SITE}))
ADDRESS = "0x" + "ab" * 20


def base32(seed: bytes) -> str:
    return base64.b32encode(seed).decode().rstrip("=")


def a_row(reference: str = "customer-1", **more: object) -> dict[str, Any]:
    """Return a customer with a password and an e-mail address, and whatever more is named."""
    number = abs(hash(reference)) % 10**6
    return {
        "reference": reference,
        "emails": [f"customer{number}@example.com"],
        "password_hash": BCRYPT,
        **more,
    }


def read(row: dict[str, Any]) -> Row:
    return msgspec.convert(row, Row)


def lines(*rows: dict[str, Any]) -> list[tuple[int, bytes]]:
    """Return rows as the lines of a file, numbered from 1."""
    return [(number, msgspec.json.encode(row)) for number, row in enumerate(rows, start=1)]


def an_old_passkey(device: SoftwareAuthenticator, rp_id: str = OLD_SITE) -> dict[str, Any]:
    return {
        "credential_id": b64url(device.credential_id),
        "public_key": b64url(device.public_key),
        "rp_id": rp_id,
    }


def importing_into(service: Service, source: str = SOURCE) -> Importing:
    """Return the use case of moving in, into a service that runs."""
    store, api = service.api.store, service.api
    assert isinstance(store, SqlStore)
    book = rule_book()
    signer = api.use.spends._signer  # noqa: SLF001 - the one that serves
    begin = Begin(
        draft=book.policy.draft,
        sites=frozenset({service.settings.rp_id}),
        log_origin=service.settings.log_origin,
        source=source,
        layout=LAYOUT,
    )
    return Importing(
        store,
        SqlArrivals(store),
        check=checking_here(begin),
        entropy=SystemEntropy(),
        clock=service.clock,
        policies=BookPolicies(lambda: book, prices=service.prices, signer=signer),
        blind=api.use.accounts._blind,  # noqa: SLF001 - the service's own
        source=source,
    )


def named(service: Service, reference: str) -> str:
    return imported_account_id(service.settings.log_origin, reference)
