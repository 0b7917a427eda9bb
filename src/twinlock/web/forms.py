"""What our own pages send: forms, each of which counts once, and what our script says.

A page draws a name for itself, and its forms send it along. Prevents: a double click that sends two
codes, or counts as two wrong passwords.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import ActionId
from twinlock.ports import (
    Idempotency,
)

Short = Annotated[str, Meta(max_length=64)]
PAGE_LENGTH = 26  # Of a page's name: 128 random bits (``ids.tail``).


class Form(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every form holds: the name of the page that it stood on."""

    page: Annotated[str, Meta(min_length=PAGE_LENGTH, max_length=PAGE_LENGTH)]


class LinkForm(Form, frozen=True, kw_only=True):
    """A channel, and the secret of the link that was sent to it."""

    HIDDEN = frozenset({"token"})

    channel_id: Annotated[str, Meta(min_length=1, max_length=64)]
    token: Short


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What our script asks for: there is one way that takes a script."""

    factor: Literal["passkey"]


class Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The authenticator's answer, as ``PublicKeyCredential.toJSON`` gives it."""

    challenge_id: Short
    response: dict[str, Any]


def once(action_id: ActionId, form: Form) -> Idempotency:
    """Return the idempotency key of ``form`` about an action: the same from one page is the same.

    Something else typed into that page, after going back to it, is something else.
    """
    kind = type(form).__name__.encode("ascii")
    digest = tagged_hash("form/v1", action_id.encode("ascii"), kind, encode(form))
    return Idempotency(key=f"page-{b64url(digest)}", digest=digest)
