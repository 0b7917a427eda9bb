"""Values in words: times, lengths, amounts, and text that somebody else wrote.

Always true (tests/integration/test_web_words.py): nothing that is confirmed is rounded or cut
short; a wait is never said to end before it does, nor a deadline to pass after it does; text from
outside cannot hide, turn or move its neighbours.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from twinlock.domain.unseen import MARKS_MOST, UNSEEN

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DAYS_FROM = 3 * DAY  # Up to here people count hours.
GROUP = 4  # As on a bank card: what an eye compares at a glance.
THOUSANDS = 3
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def when(at: datetime) -> Markup:
    """Return an instant (UTC) that is past, or a deadline, its minute rounded down."""
    exact = at.astimezone(UTC)
    return _told(exact.replace(second=0, microsecond=0), exact=exact)


def not_before(at: datetime) -> Markup:
    """Return an instant (UTC) at which a wait ends, its minute rounded up."""
    exact = at.astimezone(UTC)
    shown = exact.replace(second=0, microsecond=0)
    return _told(shown if shown == exact else shown + MINUTE, exact=exact)


def _told(shown: datetime, *, exact: datetime) -> Markup:
    """Return what people read, and beside it the exact instant for machines."""
    text = f"{shown.day} {MONTHS[shown.month - 1]} {shown.year}, {shown:%H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(
        exact.strftime("%Y-%m-%dT%H:%M:%SZ"), text
    )


def how_long(length: timedelta) -> str:
    """Return a length in words, rounded up to the minute: days, or hours and minutes."""
    minutes = -(-max(length, timedelta(0)) // MINUTE)
    hours, minutes = divmod(minutes, 60)
    if length >= DAYS_FROM:
        days, hours = divmod(hours, 24)
        return _joined(_counted(days, "day"), _counted(hours, "hour"))
    return _joined(_counted(hours, "hour"), _counted(minutes, "minute")) or "no time"


def _counted(number: int, unit: str) -> str:
    if not number:
        return ""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _joined(*parts: str) -> str:
    return " and ".join(part for part in parts if part)


def dollars(cents: int) -> str:
    """Return US cents as dollars."""
    return f"US${cents // 100:,}.{cents % 100:02}"


def groups(text: str) -> tuple[str, ...]:
    """Return ``text`` in groups of four from its start; joined they are the text again."""
    return tuple(text[start : start + GROUP] for start in range(0, len(text), GROUP))


def is_amount(word: str) -> bool:
    """Say whether ``word`` is a decimal, and not an asset whose name begins with a digit."""
    return _AMOUNT.fullmatch(word) is not None


def thousands(amount: str) -> tuple[str, ...]:
    """Return a decimal in groups of three digits before its point; joined they are it again."""
    whole, point, fraction = amount.partition(".")
    first = len(whole) % THOUSANDS or THOUSANDS
    starts = (0, *range(first, len(whole), THOUSANDS))
    ends = (*starts[1:], len(whole))
    parts = [whole[start:end] for start, end in zip(starts, ends, strict=True)]
    return (*parts[:-1], parts[-1] + point + fraction)


def visible(text: str) -> str:
    """Return ``text`` with what cannot be seen, or turns or covers its neighbours, spelled out.

    Prevents: a name that shows something else than what is signed (Unicode TR 36, 2.10), and a
    second member or contact whose name looks just like the first one's.
    """
    told, marks = [], 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        told.append(_spelled(character, hidden=marks > MARKS_MOST))
    return "".join(told)


def _spelled(character: str, *, hidden: bool) -> str:
    category = unicodedata.category(character)
    hidden = hidden or category[0] == "C" or character in UNSEEN
    if hidden or (category in ("Zl", "Zp", "Zs") and character != " "):
        return f"⟨U+{ord(character):04X}⟩"
    return character
