"""What a new password must be: long enough, of readable characters, and nobody's first guess.

Always true (tests/unit/domain/authenticators/test_new_passwords.py): no rule asks for kinds of
characters; a refusal names the first rule that is broken and what to do, and holds nothing of the
password; whatever spelling of the same text is typed, the answer is the same.

What is known to others (common and breached passwords) is looked up by whoever hashes.

Source: SP 800-63B-4, 3.1.1.2 (length, normalisation, blocklist); ASVS 5.0.0, V6.2; RFC 8265, 4.2
(no control or unassigned characters).
"""

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar

from twinlock.domain.bounds import PASSWORD_LEAST, PASSWORD_LEAST_ALONE, PASSWORD_MOST
from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import TwinlockError

_NO_SETTLED_FORM = frozenset({"Cc", "Cn", "Cs"})  # Control, unassigned, lone surrogate.
# Letters. A shorter name stands in half of all words. Prevents: "al" in an address, for which
# "always" would count as a name.
_NAME_LEAST = 4
_NUMBER_TAIL = 7  # Digits: a phone number as it is dialled at home.


class PasswordRule(StrEnum):
    """The first rule that a new password breaks; the value is told, so it never changes."""

    TOO_SHORT = "too_short"
    """It has too few characters. Take a longer one: several words make a good one."""

    TOO_LONG = "too_long"
    """It has more than 256 characters, as it is typed or as it is compared. Take a shorter one."""

    UNREADABLE = "unreadable"
    """It holds a control character, or one with no settled form. Leave that one out."""

    PREDICTABLE = "predictable"
    """It repeats a few characters, or counts up or down. Take one that nobody can continue."""

    NAMED = "named"
    """It is made of this service's name or of the account's own contacts. Take other words."""

    COMMON = "common"
    """It is one of the commonest passwords, which thieves try first. Take another one."""

    BREACHED = "breached"
    """It was published in a breach of some service. Take another one, and change it there too."""


_TELLS = {
    PasswordRule.TOO_SHORT: "is too short: take a longer one, of several words",
    PasswordRule.TOO_LONG: f"has more than {PASSWORD_MOST} characters: take a shorter one",
    PasswordRule.UNREADABLE: "holds a character with no settled form: leave it out",
    PasswordRule.PREDICTABLE: "repeats, or counts up or down: take one that nobody can continue",
    PasswordRule.NAMED: "is made of this service's name or the account's contacts: take others",
    PasswordRule.COMMON: "is one of the commonest: take another one",
    PasswordRule.BREACHED: "was published in a breach: take another one, and change it there too",
}


class PasswordRefusedError(TwinlockError):
    """A new password breaks a rule: ``fault`` says which, and the detail what to do."""

    code: ClassVar[str] = "password_refused"
    status: ClassVar[int] = 422

    def __init__(self, rule: PasswordRule, *, least: int = 0) -> None:
        told = f"the password {_TELLS[rule]}"
        super().__init__(f"{told} ({least} characters at least)" if least else told)
        self.fault = rule


class Terms(Discreet, frozen=True, kw_only=True):
    """What one account's new password is held to: a least length, and names not to be made of."""

    HIDDEN = frozenset({"names"})  # They hold addresses and numbers.

    least: int
    names: tuple[str, ...] = ()


def terms(*, alone: bool, service: Iterable[str], contacts: Iterable[str]) -> Terms:
    """Return the terms of a new password.

    ``alone``: nothing stronger is bound, so the password may be all that somebody shows; 15
    characters then, and 8 beside an app or a passkey (SP 800-63B-4, 3.1.1.2). ``service`` are names
    of this service and of the platform; ``contacts`` the account's own addresses and numbers.
    """
    names = {name for word in (*service, *contacts) for name in _names_in(word)}
    return Terms(
        least=PASSWORD_LEAST_ALONE if alone else PASSWORD_LEAST,
        names=tuple(sorted(names, key=lambda name: (-len(name), name))),
    )


def fit(password: str, held_to: Terms) -> str:
    """Return the one form of a password that may be set, as far as its own text tells.

    Raises:
        PasswordRefusedError: any rule but common and breached.
    """
    normal = normal_form(password)
    if normal is None:
        raise PasswordRefusedError(PasswordRule.TOO_LONG)
    if any(unicodedata.category(character) in _NO_SETTLED_FORM for character in password):
        raise PasswordRefusedError(PasswordRule.UNREADABLE)
    if len(normal) < held_to.least:
        raise PasswordRefusedError(PasswordRule.TOO_SHORT, least=held_to.least)
    if _is_predictable(repeated(normal)):
        raise PasswordRefusedError(PasswordRule.PREDICTABLE)
    if _is_made_of(_squeezed(normal), held_to.names):
        raise PasswordRefusedError(PasswordRule.NAMED)
    return normal


def is_named(text: str, held_to: Terms) -> bool:
    """Say whether ``text`` is made of names that others know."""
    return _is_made_of(_squeezed(text), held_to.names)


def normal_form(password: str) -> str | None:
    """Return the NFKC form, or None for what is too long, before it costs anything to speak of.

    NFKC and not NFC: keyboards of one language type the same text in several compatible forms.
    """
    if len(password) > PASSWORD_MOST:
        return None
    normal = unicodedata.normalize("NFKC", password)
    return normal if len(normal) <= PASSWORD_MOST else None


def looked_up(normal: str) -> str:
    """Return the form in which a normal password is looked up among the common ones.

    Upper and lower case are one, and what repeats counts as what it repeats.
    """
    return repeated(unicodedata.normalize("NFKC", normal.casefold()))


def repeated(text: str) -> str:
    """Return the shortest text of which ``text`` is a repetition: itself, mostly."""
    return text[: (text + text).find(text, 1)]


def _is_predictable(text: str) -> bool:
    """Say whether a text that repeats nothing is shorter than any password, or a mere sequence."""
    if len(text) < PASSWORD_LEAST:
        return True
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    through = ({1}, {-1}, {1, -9}, {-1, 9}) if text.isdecimal() else ({1}, {-1})  # From 9 on to 0.
    return steps in through


def _names_in(word: str) -> set[str]:
    """Return what of ``word`` is a name: of an address what stands before the @, and whole."""
    before, at, after = word.partition("@")
    parts = {before, after.partition(".")[0], word} if at else {word}
    names = {squeezed for part in parts if len(squeezed := _squeezed(part)) >= _NAME_LEAST}
    digits = "".join(character for character in word if character.isdecimal())
    return names | ({digits[-_NUMBER_TAIL:]} if len(digits) >= _NUMBER_TAIL else set())


def _squeezed(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())


def _is_made_of(squeezed: str, names: tuple[str, ...]) -> bool:
    """Say whether nothing but digits and signs is left without the names."""
    left = squeezed
    for name in names:
        left = left.replace(name, "")
    return left != squeezed and not any(character.isalpha() for character in left)
