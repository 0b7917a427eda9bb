"""Streams: whose signals the operator believes, of which kinds, and whom they speak of.

A stream is the operator's own word, kept in a file beside the keyring: no database, no platform and
no transmitter can add one.

Source: OpenID Shared Signals Framework 1.0, 8.1; RFC 9493, 3.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from twinlock.domain.bounds import SIGNALS_A_DAY
from twinlock.domain.contacts import ChannelAddressError, normal_email, normal_phone
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.ids import AccountId, parse_account_id
from twinlock.domain.signals import KINDS, SignalKind

VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
UPDATED = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
ALL = "*"
ALIASES_MOST = 8  # Of one subject: a mailbox, a number and some names.
_STREAM_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_ISSUER = re.compile(r"[!-~]{1,256}")


class StreamRefusedError(TwinlockError):
    """A stream of signals that cannot be: the detail says why."""

    code = "signal_stream_refused"
    status = 422


class StreamUnknownError(TwinlockError):
    """There is no such stream of signals."""

    code = "signal_stream_not_found"
    status = 404


class StreamsUnreadableError(TwinlockError):
    """The operator's streams, or their tokens, cannot be read, so nothing counts: send it again."""

    code = "signal_streams_unreadable"
    status = 503


class Stream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One transmitter, as the operator believes it.

    ``keys_url`` is where its key set is fetched, or ``keys`` is the set itself (JSON). ``events``
    are kinds, or ``*``. ``poll_url`` is where its tokens are fetched, if it does not push them.
    ``token_file`` holds the bearer token that we show there, or that a transmitter must show us.
    """

    stream_id: str
    issuer: str
    audience: str
    keys: str = ""
    keys_url: str = ""
    events: tuple[str, ...] = (ALL,)
    poll_url: str = ""
    token_file: str = ""
    daily_most: int = SIGNALS_A_DAY

    def hears(self, kind: SignalKind) -> bool:
        """Say whether the operator wants signals of ``kind`` from here."""
        return ALL in self.events or kind.value in self.events


def check_stream(stream: Stream) -> Stream:
    """Return ``stream``. Raises StreamRefusedError."""
    if not _STREAM_ID.fullmatch(stream.stream_id):
        raise StreamRefusedError("a stream's name: 1 to 32 of a to z, 0 to 9 and -")
    if not _ISSUER.fullmatch(stream.issuer) or not _ISSUER.fullmatch(stream.audience):
        raise StreamRefusedError("issuer and audience: 1 to 256 printable signs without spaces")
    if bool(stream.keys) == bool(stream.keys_url):
        raise StreamRefusedError("keys come from a file or from a URL, and from one of them")
    unknown = set(stream.events) - {ALL, *map(str, SignalKind)}
    if not stream.events or unknown:
        raise StreamRefusedError(f"no such event: {', '.join(sorted(unknown)) or 'none is named'}")
    if stream.daily_most < 1:
        raise StreamRefusedError("a stream that may say nothing is none")
    return stream


def kind_of(event: str) -> SignalKind | None:
    """Return the kind of an event by its type's URI, or None for one that we do not know."""
    return KINDS.get(event)


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a signal speaks of: an account by its id, or whoever has a channel at ``address``."""

    account: AccountId | None = None
    address: str = ""


def named_by(subject: Mapping[str, Any], *, issuer: str) -> tuple[Named, ...]:
    """Return whom a simple identifier may mean here; none where it is of another form or world.

    An opaque id, or a subject of the issuer's own, is an account's id: the operator, or the
    platform, registered it so at the transmitter.
    """
    match subject.get("format"):
        case "aliases":
            listed = subject.get("identifiers")
            parts = listed[:ALIASES_MOST] if isinstance(listed, list) else []
            simple = [one for one in parts if isinstance(one, dict)]
            flat = [one for one in simple if one.get("format") != "aliases"]
            return tuple(found for one in flat for found in named_by(one, issuer=issuer))
        case "email":
            return _address(subject.get("email"))
        case "phone_number":
            return _address(subject.get("phone_number"))
        case "account":
            return _of_uri(subject.get("uri"))
        case "opaque":
            return _account(subject.get("id"))
        case "iss_sub" if subject.get("iss") == issuer:
            return _account(subject.get("sub"))
        case _:
            return ()


def _of_uri(value: object) -> tuple[Named, ...]:
    """Return whom a URI names: of ``acct``, in any letters, its encoded letters (RFC 7565, 7)."""
    scheme, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if scheme.lower() != "acct":
        return _address(value)
    return _address(_ENCODED.sub(lambda one: chr(int(one[1], 16)), rest))


def _address(value: object) -> tuple[Named, ...]:
    if not isinstance(value, str):
        return ()
    try:
        normal = normal_email(value) if "@" in value else normal_phone(value)
    except ChannelAddressError:
        return ()
    return (Named(address=normal),)


def _account(value: object) -> tuple[Named, ...]:
    try:
        return (Named(account=parse_account_id(value)),) if isinstance(value, str) else ()
    except MalformedError:
        return ()
