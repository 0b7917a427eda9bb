"""Codes of an app, shown so that each counts: also where two steps have the same one."""

from base64 import b32encode
from datetime import UTC, datetime

from twinlock.proofs.totp import hotp, verify
from twinlock.range.customer import Belongings, Customer
from twinlock.range.device import TotpApp
from twinlock.range.profiles import rules_of
from twinlock.range.venue import open_world

SEED = b"12345678901234567890"
STEP = 10_664_063  # It and the next one have the same code, by chance.
URI = f"otpauth://totp/twinlock:alice?secret={b32encode(SEED).decode()}&issuer=twinlock"


async def test_a_code_that_the_next_step_has_too_is_shown_in_that() -> None:
    """Prevents: a story, one in hundreds, that fails by a code that counts for the next step."""
    assert hotp(SEED, STEP) == hotp(SEED, STEP + 1) == "220181"
    begins = datetime.fromtimestamp(30 * STEP, tz=UTC)
    async with open_world(rules_of("default"), begins=begins) as venue:
        alice = await Customer.open(
            venue, "alice", {"channels": [{"kind": "desktop", "address": "alices-laptop"}]}
        )
        made, app, last = Belongings(), TotpApp(URI), 0
        for _ in range(3):
            code = await alice.app_code(made, app)
            last = verify(SEED, code, now=venue.now, last_step=last)

    assert last == STEP + 3
