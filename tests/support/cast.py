"""The cast and its places: the same names, days, devices and addresses in every test."""

from datetime import UTC, datetime, timedelta

from twinlock.domain import ids

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
INSTANT = timedelta(milliseconds=1)  # the finest step of our clock
LONG_AGO = NOON - 400 * DAY

ALICE = ids.account_id(b"alice's account.")
BOB = ids.account_id(b"bob's account...")
MEMBER = ids.MemberId("mem_alice")

ALICES_LAPTOP = "laptop".ljust(43, "A")  # an RFC 7638 thumbprint has 43 characters
MALLORYS_LAPTOP = "mallory".ljust(43, "M")

OLD_ADDRESS = "0x" + "1" * 40
NEW_ADDRESS = "0x" + "2" * 40
MALLORYS_ADDRESS = "0x" + "6" * 40
MALLORYS_IP = "203.0.113.66"

DOLLAR = 100
