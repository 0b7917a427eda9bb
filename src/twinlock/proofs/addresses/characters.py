"""Characters: what an address may be written with, before anything else is asked of it.

Prevents: a Cyrillic letter, a full-width digit or an invisible mark in an address, so that what is
read is not what is signed.
"""

import unicodedata

from twinlock.domain.addresses import AddressCharactersError

CHARACTERS_MOST = 128  # The longest form known here has 69.
_FIRST, _LAST = "!", "~"


def check_characters(text: str) -> None:
    """Return when ``text`` is printable ASCII without spaces, and of a length that can be one.

    Raises:
        AddressCharactersError: it is not; the first character that is wrong is named.
    """
    for place, character in enumerate(text[: CHARACTERS_MOST + 1], start=1):
        if not _FIRST <= character <= _LAST:
            raise AddressCharactersError(f"character {place} is {_named(character)}")
    if not 0 < len(text) <= CHARACTERS_MOST:
        raise AddressCharactersError(f"an address has 1 to {CHARACTERS_MOST} characters")


def _named(character: str) -> str:
    """Return what ``character`` is, in ASCII: it is not repeated, since it may not be seen."""
    point = f"U+{ord(character):04X}"
    if character == " " or unicodedata.category(character) in ("Zs", "Zl", "Zp"):
        return f"a space ({point})"
    if unicodedata.category(character).startswith("C"):
        return f"invisible ({point})"
    name = unicodedata.name(character, "a character without a name").lower()
    return f"none that addresses are written with: {name} ({point})"
