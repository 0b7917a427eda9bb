"""Where the keys' token is, and the way to it, for whoever has one."""

from functools import cache

from twinlock.adapters.settings import TokenPlace
from twinlock.domain.errors import TokenMissingError
from twinlock.ports.keys import (
    KeyToken,
)


@cache
def open_token(place: TokenPlace | None) -> KeyToken | None:
    """Return the token at ``place``, or None where there is none: one session for each process.

    Raises:
        TokenMissingError: the module, the token or the extra `twinlock[hsm]` is not there.
        TokenPinWrongError: the PIN file is not a private file, or the token refuses the PIN.
        TokenUnavailableError: it does not answer in ten seconds.
    """
    if place is None:
        return None
    try:
        from twinlock.adapters.keyring.pkcs11 import Token  # noqa: PLC0415 - an extra of the package
    except ImportError as error:
        raise TokenMissingError("python-pkcs11 is missing: install twinlock[hsm]") from error
    return Token(place)
