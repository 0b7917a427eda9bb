"""A transmitter of signals: keys of its own, tokens as joserfc signs them, and forgeries."""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from twinlock.domain.canonical import b64url
from twinlock.domain.signal_streams import Stream

ISSUER = "https://mail.example/"
AUDIENCE = "https://exchange.example/signals"
RECOVERY = "https://schemas.openid.net/secevent/risc/event-type/recovery-activated"
SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
_KEYS: dict[str, Any] = {
    "rsa": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
    "ec": ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}),
    "ed": OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"}),
}
_ALGORITHMS = {"rsa": "RS256", "ec": "ES256", "ed": "Ed25519"}


def public(*names: str) -> str:
    """Return the key set that a transmitter publishes."""
    chosen = KeySet([_KEYS[name] for name in names or tuple(_KEYS)])
    return json.dumps(chosen.as_dict(private=False))


def private(name: str) -> Any:  # noqa: ANN401 - a key of any kind
    return _KEYS[name]


@dataclass
class Transmitter:
    """Signs what a test says, and counts its names."""

    now: datetime
    count: int = 0
    jtis: list[str] = field(default_factory=list)

    def claims(self, subject: dict[str, Any], event: str = RECOVERY, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - claims
        self.count += 1
        self.jtis.append(f"jti-{self.count}")
        return {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": int(self.now.timestamp()),
            "jti": self.jtis[-1],
            "sub_id": subject,
            "events": {event: more.pop("about", {})},
            **more,
        }

    def token(self, subject: dict[str, Any], event: str = RECOVERY, **more: Any) -> str:  # noqa: ANN401 - claims
        return signed(self.claims(subject, event, **more))


def signed(
    claims: dict[str, Any] | bytes, *, key: str = "ec", alg: str = "", **header: object
) -> str:
    """Return a token over ``claims``; ``header`` replaces members, None takes one away."""
    protected = {"alg": alg or _ALGORITHMS[key], "typ": "secevent+jwt", "kid": key} | header
    protected = {name: value for name, value in protected.items() if value is not None}
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    names = [str(protected["alg"])]
    if names == ["EdDSA"]:  # The library warns of this name (RFC 9864); the bytes are the same.
        return _by_hand(protected, body, _KEYS[key].private_key.sign)
    return jws.serialize_compact(protected, body, _KEYS[key], algorithms=names)


def symmetric(claims: dict[str, Any], secret: bytes) -> str:
    """Return a token whose MAC is made with what everybody knows."""
    header = {"alg": "HS256", "typ": "secevent+jwt", "kid": "ec"}
    mac = lambda data: hmac.digest(secret, data, "sha256")  # noqa: E731 - its only use
    return _by_hand(header, json.dumps(claims).encode(), mac)


def _by_hand(header: dict[str, Any], body: bytes, sign: Callable[[bytes], bytes]) -> str:
    parts = ".".join(b64url(one) for one in (json.dumps(header).encode(), body))
    return f"{parts}.{b64url(sign(parts.encode()))}"


def email(address: str) -> dict[str, Any]:
    return {"format": "email", "email": address}


def mail_stream(**changes: Any) -> Stream:  # noqa: ANN401 - any of the fields
    fields = {"stream_id": "mail", "issuer": ISSUER, "audience": AUDIENCE, "keys": public()}
    return Stream(**(fields | changes))
