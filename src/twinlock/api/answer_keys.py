"""The keys by which answers to signed requests are signed, as a JWK Set (RFC 7517, RFC 8037).

Whoever fetches them here believes whoever answers here: pin them out of band, as
``twinlock platform-key create --signed-by`` prints them.
"""

import msgspec
from litestar import get

from twinlock.api.request import StrictRequest
from twinlock.api.serving import api_of
from twinlock.domain.canonical import b64url


class JsonWebKey(msgspec.Struct, frozen=True, kw_only=True, tag_field="kty", tag="OKP"):
    """A public key by which answers are signed (RFC 7517, RFC 8037)."""

    kid: str
    x: str
    crv: str = "Ed25519"
    use: str = "sig"
    alg: str = "Ed25519"


class JsonWebKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Every key by which answers may be signed."""

    keys: tuple[JsonWebKey, ...]


@get("/.well-known/jwks.json", include_in_schema=False)
async def answer_keys(request: StrictRequest) -> JsonWebKeys:
    """Return the keys by which answers to signed requests are signed."""
    api = api_of(request)
    api.rates.log.take(api.caller_address(request))
    keys = api.answers.public_keys().items()
    return JsonWebKeys(keys=tuple(JsonWebKey(kid=kid, x=b64url(key)) for kid, key in keys))
