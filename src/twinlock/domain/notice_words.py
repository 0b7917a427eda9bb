"""The owner's own word: it stands in every message of ours, and in nobody else's (anti-phishing).

Whoever writes to the owner in our name, and knows no more than an address, does not know it. It is
no secret against whoever reads the owner's messages, and proves nothing to us. No page shows it but
the one on which it is set: a page is known by its address, and whoever relays ours to a victim
would relay the word with it.

What is signed is a salted digest of it, so that neither a payload nor a leaf lets anybody guess it.

Always true (tests/unit/domain/test_notice_words.py): a word is one to three words of plain letters;
what has another letter, or one that looks like another, is refused; no message to a place that is
not the account's, or that was repudiated, holds it.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import msgspec

from twinlock.domain.bounds import NOTICE_WORD_LEAST, NOTICE_WORD_MOST
from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import InvariantError, TwinlockError, invariant
from twinlock.domain.spans import Spans

_WORDS_MOST = 3
_FORM = re.compile(rf"[A-Za-z]+(?: [A-Za-z]+){{0,{_WORDS_MOST - 1}}}")
_DIFFERENT_LEAST = 3  # Letters: "aaaa" is known at a glance to nobody.


class NoticeWordRule(StrEnum):
    """The first rule that a new word breaks; the value is told, so it never changes."""

    LENGTH = "length"
    """It has too few letters, or too many."""

    LETTERS = "letters"
    """It is not one to three words of the letters A to Z, with one space between them."""

    PREDICTABLE = "predictable"
    """It repeats a few letters, or is made of this service's name or the account's contacts."""


_TELLS = {
    NoticeWordRule.LENGTH: f"has {NOTICE_WORD_LEAST} to {NOTICE_WORD_MOST} letters and spaces",
    NoticeWordRule.LETTERS: "is one to three words of the letters A to Z, one space between them",
    NoticeWordRule.PREDICTABLE: "is nothing that somebody who knows an address would guess",
}


class NoticeWordRefusedError(TwinlockError):
    """A new word for messages breaks a rule: ``fault`` says which, and the detail what holds."""

    code: ClassVar[str] = "notice_word_refused"
    status: ClassVar[int] = 422

    def __init__(self, rule: NoticeWordRule) -> None:
        super().__init__(f"the word {_TELLS[rule]}")
        self.fault = rule


class NoticeWord(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """The word that stands in messages since ``set_at``, and what proved it.

    ``before`` stands again when that is undone; ``by`` and ``behind`` are as a destination says
    them.
    """

    HIDDEN = frozenset({"text", "before"})

    text: str
    set_at: datetime
    before: str = ""
    by: tuple[int, ...] = ()
    behind: Spans = ()


class Chosen(Discreet, frozen=True, kw_only=True):
    """A word on its way: what takes effect, and the 128 bits that hide it in what is signed."""

    HIDDEN = frozenset({"text", "salt"})

    text: str
    salt: str


def fit(text: str) -> str:
    """Return a word that may be set, as far as its own letters tell.

    Digits are refused, and with them every code that we send; a length is refused that most
    passwords have. Whether it is the account's password is not looked up: the answer would tell
    whoever guesses. Raises NoticeWordRefusedError.
    """
    if not NOTICE_WORD_LEAST <= len(text) <= NOTICE_WORD_MOST:
        raise NoticeWordRefusedError(NoticeWordRule.LENGTH)
    if _FORM.fullmatch(text) is None:
        raise NoticeWordRefusedError(NoticeWordRule.LETTERS)
    if len(set(text.lower()) - {" "}) < _DIFFERENT_LEAST:
        raise NoticeWordRefusedError(NoticeWordRule.PREDICTABLE)
    return text


def packed(text: str, *, salt: str) -> str:
    """Return what takes effect of a word: text of a secret."""
    return encode(Chosen(text=text, salt=salt)).decode("utf-8")


def commitment(secret: str) -> str:
    """Return what the owner signs of a packed word: 32 bytes, base64url."""
    return b64url(tagged_hash("notice-word/v1", secret.encode("utf-8")))


def opened(secret: str, committed: str) -> str:
    """Return the word of ``secret``, which is the one that was signed. Raises InvariantError."""
    invariant(commitment(secret) == committed, "the word is the one that was signed")
    try:
        return msgspec.json.decode(secret, type=Chosen).text
    except msgspec.MsgspecError as error:
        raise InvariantError("what is set is a word") from error
