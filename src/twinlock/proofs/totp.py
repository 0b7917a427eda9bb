"""Time-based one-time codes: six digits that a shared seed gives every thirty seconds.

Always true (tests/unit/proofs/test_totp.py): a step is accepted at most once, and none after a
later one has been; a code is good in the step it was made for and the two beside it, no longer.

It is possession bound by our own record only: we hold the seed as well and could compute any code,
so a code is no evidence against us.

Source: RFC 6238 and RFC 4226; requirement N-B02 (what was used once is refused).
"""

import base64
import hmac
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal, NoReturn, TypeAlias
from urllib.parse import quote, urlencode

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.errors import invariant

Digest: TypeAlias = Literal["sha1", "sha256", "sha512"]

SEED_BYTES = 20  # At least. RFC 4226, R6 recommends 160 bits, as long as SHA-1's output.
# Of an older system's seed: what early apps made by themselves. RFC 4226, R6 asks for 16; nobody
# can try out 80 bits either, and an owner whose seed is refused would have no app at all.
OLDER_SEED_BYTES = 10
STEP_SECONDS = 30  # RFC 6238, 5.2
DIGITS = 6  # What the apps in people's hands show.
_NOBODYS_SEED = bytes(SEED_BYTES)  # What it gives counts for nobody.
WINDOW = 1  # Steps each way. RFC 6238, 5.2 allows one for the network; phones run ahead as well.


def step_at(now: datetime) -> int:
    """Return the number of the step that ``now`` (UTC) lies in, counted from 1970."""
    invariant(now.utcoffset() == timedelta(0), "now is UTC")
    return int(now.timestamp()) // STEP_SECONDS


def hotp(seed: bytes, counter: int, *, digits: int = DIGITS, digest: Digest = "sha1") -> str:
    """Return the code of ``counter`` (RFC 4226, 5.3; RFC 6238 counts steps of time)."""
    invariant(len(seed) >= OLDER_SEED_BYTES, "a seed has at least 10 bytes")
    mac = hmac.digest(seed, counter.to_bytes(8, "big"), digest)
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def verify(seed: bytes, code: str, *, now: datetime, last_step: int) -> int:
    """Return the step that ``code`` proves: store it, and pass it as ``last_step`` from then on.

    ``last_step`` is the last one accepted, or 0. It is remembered for ever, so longer than the
    window; all three codes are computed and compared whatever the first says.

    Raises:
        ProofRefusedError: malformed, code_wrong, code_replayed.
    """
    if len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        raise ProofRefusedError(ProofFault.MALFORMED)
    here = step_at(now)
    steps = range(max(here - WINDOW, 0), here + WINDOW + 1)
    matching = [step for step in steps if hmac.compare_digest(hotp(seed, step), code)]
    if not matching:
        raise ProofRefusedError(ProofFault.CODE_WRONG)
    if matching[-1] <= last_step:
        raise ProofRefusedError(ProofFault.CODE_REPLAYED)
    return matching[-1]


def burn(code: str, *, now: datetime) -> NoReturn:
    """Do the work of ``verify`` where no app is bound, and refuse likewise, whatever was typed.

    Raises:
        ProofRefusedError: malformed, code_wrong.
    """
    with suppress(ProofRefusedError):
        verify(_NOBODYS_SEED, code, now=now, last_step=0)
    well_formed = len(code) == DIGITS and code.isascii() and code.isdecimal()
    raise ProofRefusedError(ProofFault.CODE_WRONG if well_formed else ProofFault.MALFORMED)


def provisioning_uri(seed: bytes, *, issuer: str, account: str) -> str:
    """Return the ``otpauth`` URI that an authenticator app reads from a QR code.

    It holds the seed: show it once, to its owner, and never log it.
    """
    invariant(len(seed) >= SEED_BYTES, "a seed has at least 20 bytes")
    invariant(":" not in issuer + account, "a colon parts issuer and account")
    secret = base64.b32encode(seed).decode("ascii").rstrip("=")
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    options = {
        "secret": secret,
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_SECONDS,
    }
    return f"otpauth://totp/{label}?{urlencode(options, quote_via=quote)}"
