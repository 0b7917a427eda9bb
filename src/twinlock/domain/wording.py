"""What a notice says, in plain words: what happens, when, and how to stop it.

A text says no more about a person than its reader needs: no address, no sum, no name. What exactly
it is stands on the page behind its link. The words are one table, so that another language is
another table.

Always true (tests/unit/domain/test_wording.py): every kind and every type has words; a text message
has only letters of the GSM alphabet, and fits into one where it holds no link; nothing that
somebody else chose can add a line.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from twinlock.domain.catalogue import ActionType
from twinlock.domain.letters import Letter
from twinlock.domain.notices import NoticeKind
from twinlock.domain.suspensions import RELEASE_ENTRY, SUSPEND_ENTRY

VERSION = 2  # Of the words: what a customer was told can be found by it years later.
# GSM 03.38, 6.2.1: one message of the default alphabet has 160 characters, one of several 153.
SMS_CHARACTERS = 160

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        ActionType.WITHDRAWAL_CRYPTO: "a withdrawal",
        ActionType.WITHDRAWAL_FIAT: "a withdrawal to a bank",
        ActionType.TRANSFER_INTERNAL: "a transfer to another customer",
        ActionType.TRANSFER_SUBACCOUNT: "a transfer to a sub-account",
        ActionType.P2P_RELEASE: "a release to another trader",
        ActionType.GIFT_SEND: "a gift",
        ActionType.CARD_PAY: "a card payment",
        ActionType.TRADE_UNUSUAL: "an unusual trade",
        ActionType.LOAN_COLLATERAL: "collateral for a loan",
        ActionType.SESSION_START: "a sign-in",
        ActionType.AUTHENTICATOR_BIND: "adding an authenticator",
        ActionType.AUTHENTICATOR_REMOVE: "removing an authenticator",
        ActionType.AUTHENTICATOR_SUSPEND: "suspending an authenticator",
        ActionType.AUTHENTICATOR_REACTIVATE: "reactivating an authenticator",
        ActionType.AUTHENTICATOR_REPUDIATE: "undoing an added authenticator",
        ActionType.PASSWORD_CHANGE: "a change of the password",
        ActionType.PASSWORD_RESET: "a reset of the password",
        ActionType.NOTICE_WORD_SET: "choosing the word in our messages",
        ActionType.CONTACT_CHANGE: "a change of where we write to",
        ActionType.CONTACT_REPUDIATE: "undoing a change of where we write to",
        ActionType.DESTINATION_ADD: "adding an address for withdrawals",
        ActionType.DESTINATION_REMOVE: "removing an address for withdrawals",
        ActionType.TRUSTED_CONTACT_ADD: "adding a trusted contact",
        ActionType.TRUSTED_CONTACT_REMOVE: "removing a trusted contact",
        ActionType.MEMBER_ADD: "adding a member",
        ActionType.MEMBER_REMOVE: "removing a member",
        ActionType.QUORUM_TIGHTEN: "having more members agree",
        ActionType.QUORUM_LOOSEN: "having fewer members agree",
        ActionType.LIMIT_RAISE: "raising a limit",
        ActionType.LIMIT_LOWER: "lowering a limit",
        ActionType.LOCK_LOOSEN: "loosening a lock",
        ActionType.LOCK_TIGHTEN: "tightening a lock",
        ActionType.API_KEY_CREATE: "making an API key",
        ActionType.API_KEY_WIDEN: "giving an API key more rights",
        ActionType.API_KEY_NARROW: "giving an API key fewer rights",
        ActionType.API_KEY_REVOKE: "revoking an API key",
        ActionType.FREEZE_SET: "freezing the account",
        ActionType.FREEZE_LIFT: "lifting the freeze",
        ActionType.ACCOUNT_ERASE: "erasing the account",
        ActionType.RECOVERY_OPEN: "a recovery of the account",
        ActionType.RECOVERY_COMPLETE: "the end of a recovery",
        ActionType.STAFF_OPEN_FILE: "a look into your file by staff",
        ActionType.STAFF_DISCLOSE: "handing out of your file",
        ActionType.STAFF_REVIEW: "a review by staff",
        ActionType.STAFF_POLICY_ACTIVATE: "a change of the rules",
        SUSPEND_ENTRY: "a stop by the platform of all that leaves your account",
        RELEASE_ENTRY: "the end of the platform's stop of your account",
    }
)
_OTHER = "a change of your account"
_NEVER = "9999-"  # An end that is none.
_WORD = "Your word: {word}. It stands in every message of ours; one without it is not from us."
_WORDLESS = (
    "You have set no word, so nothing in this message shows that it is from us. Set one, and each "
    "message will hold it."
)
_ELSEWHERE = "A word that its owner set does not stand here: this is no place of the account's."


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out: a subject of one line, paragraphs, links with their labels, one short text."""

    subject: str
    paragraphs: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    short: str


def name_of(what: str) -> str:
    """Return an action's type in words; a type that was registered later is a change."""
    return _NAMES.get(what, _OTHER)


def message_words(letter: Letter) -> Words:
    """Return what the message of ``letter`` says: the owner's word first, then ``words``."""
    told, word = words(letter), letter.word
    if word is None:
        return msgspec.structs.replace(told, paragraphs=(_ELSEWHERE, *told.paragraphs))
    line = _WORD.format_map({"word": word}) if word else _WORDLESS
    return msgspec.structs.replace(
        told,
        paragraphs=(line, *told.paragraphs),
        short=gsm(f"({word or 'no word set'}) {told.short}"),
    )


def words(letter: Letter) -> Words:
    """Return what ``letter`` says, without the owner's word: others may read it."""
    filled = _filled(letter)
    paragraphs = [filled.lead]
    if letter.kind is NoticeKind.DONE and letter.until and not letter.until.startswith(_NEVER):
        paragraphs.append(f"It ends on {moment(letter.until)}.")
    if letter.undo_until:
        paragraphs.append(f"It can be undone until {moment(letter.undo_until)}.")
    if letter.narrows:
        paragraphs.append(
            "After it we reach you on your telephone only. Whoever takes that takes our word to "
            "you with it, so less may leave your account in a day."
        )
    if letter.kind is NoticeKind.CODE:
        paragraphs.append(
            "Nobody who works for us asks you for it. Type it on our own page and nowhere else."
        )
    links = tuple(_links(letter))
    if links:
        paragraphs.append(
            "Opening a link changes nothing. The page says what it would do, and asks you first."
        )
    return Words(
        subject=filled.subject,
        paragraphs=tuple(paragraphs),
        links=links,
        short=gsm(" ".join((filled.short, *(link for _, link in links[:1])))),
    )


def _links(letter: Letter) -> list[tuple[str, str]]:
    links: list[tuple[str, str]] = []
    if letter.link:
        label = "This was not me: undo it" if letter.undo else "This was not me: stop it"
        links.append((label, letter.link))
    if letter.freeze:
        links.append(("Freeze everything now", letter.freeze))
    return links


class _Phrases(msgspec.Struct, frozen=True):
    """The words of one kind: ``{what}``, ``{at}``, ``{until}`` and ``{code}`` are filled in."""

    subject: str
    lead: str
    short: str


_PHRASES: Mapping[NoticeKind, _Phrases] = MappingProxyType(
    {
        NoticeKind.CODE: _Phrases(
            "Your code",
            "Your code for {what} is {code}. It works until {until}.",
            "{code} is your code for {what}. Never tell it to anybody.",
        ),
        NoticeKind.WAITING: _Phrases(
            "Waiting: {what}",
            "On {at} somebody asked for {what}. It takes effect on {until} at the earliest. If it "
            "was not you, stop it before then.",
            "Waiting until {until}: {what}. Not you? Stop it:",
        ),
        NoticeKind.CONTESTED: _Phrases(
            "Contested: {what}",
            "On {at} somebody said no to {what} a second time. It stands still, and is over on "
            "{until} unless an authenticator that neither side has used decides before.",
            "Contested until {until}: {what}. A third authenticator decides, or nothing happens.",
        ),
        NoticeKind.DECIDED: _Phrases(
            "Decided: {what}",
            "On {at} a third authenticator decided for {what}, which was contested.",
            "Decided on {at} by a third authenticator: {what}. Not you? Freeze:",
        ),
        NoticeKind.SIGNALLED: _Phrases(
            "A warning about your account",
            "On {at} another service told us that something happened to an account of yours there, "
            "such as your mailbox, or a security key answered as a copy of yours would. So we ask "
            "for more for a while. Look at that account, and where your keys are.",
            "A warning about your account, {at}. Look at your mailbox, and where your keys are.",
        ),
        NoticeKind.DONE: _Phrases(
            "Done: {what}", "On {at} this took effect: {what}.", "Done on {at}: {what}."
        ),
        NoticeKind.LEFT: _Phrases(
            "Allowed: {what}",
            "On {at} {what} was allowed, and may leave your account now.",
            "Allowed on {at}: {what}. Not you? Freeze:",
        ),
        NoticeKind.VETOED: _Phrases(
            "Stopped: something that was asked for",
            "On {at} somebody said no to what was asked for. It does not take effect.",
            "Stopped on {at}: what was asked for does not take effect.",
        ),
        NoticeKind.REFUSED: _Phrases(
            "Refused: {what}",
            "On {at} somebody asked for {what}. It was refused, and nothing has changed.",
            "Refused on {at}: {what}.",
        ),
        NoticeKind.SIGNED_IN: _Phrases(
            "Somebody signed in to your account",
            "On {at} somebody signed in to your account.",
            "Sign-in to your account, {at}. Not you? Freeze:",
        ),
        NoticeKind.ATTEMPT: _Phrases(
            "Somebody gave a wrong answer for your account",
            "On {at} somebody gave a wrong answer for {what}. Nothing has changed.",
            "Wrong answer for {what}, {at}.",
        ),
        NoticeKind.RECOVERY_CODE: _Phrases(
            "A recovery code was used",
            "On {at} one of your saved recovery codes was used. It does not work again.",
            "A recovery code was used, {at}. Not you? Freeze:",
        ),
        NoticeKind.FLOOD: _Phrases(
            "Somebody asks for many codes",
            "On {at} somebody asked for more codes than we send, perhaps so that you overlook "
            "something. Read what else we wrote to you.",
            "Somebody asks for many codes, {at}. Read our other messages.",
        ),
        NoticeKind.MANY: _Phrases(
            "Many messages in a short time",
            "Up to {at} you were sent so many messages, by us or by others, that one of ours may "
            "be lost among them. Somebody may want that. Look for one that says that something "
            "waits. Until it is quieter we do not tell you one by one of what was refused, or only "
            "protects more; and each change that waits in your account waits longer, once.",
            "Many messages, {at}: one of ours may be lost among them. See what waits.",
        ),
        NoticeKind.LAPSES: _Phrases(
            "An API key of yours ends soon",
            "An API key of yours ends on {until}: it is not used, it only reads, or it acts and is "
            "bound to no addresses. If you need it, use it before then, or make another one: one "
            "that acts is kept by its use where it is bound. If you do not know it, revoke it.",
            "An API key of yours ends {until}, unless it acts and is used or bound. Not yours? "
            "Revoke it.",
        ),
        NoticeKind.EXPORTED: _Phrases(
            "Your data was handed out",
            "On {at} a copy of all that is held about you was handed out.",
            "All that is held about you was handed out, {at}.",
        ),
        NoticeKind.SIM_CHANGED: _Phrases(
            "Your SIM card was changed",
            "On {at} we heard that the SIM card of your number was changed. Codes by SMS count "
            "nothing for a week.",
            "Your SIM was changed, we heard on {at}. SMS codes count nothing for a week.",
        ),
    }
)


def _filled(letter: Letter) -> _Phrases:
    """Return the words of the letter's kind with its values; no value is read as a form."""
    found = _PHRASES[letter.kind]
    values = {
        "what": name_of(letter.what),
        "at": moment(letter.at),
        "until": moment(letter.until) if letter.until else "",
        "code": letter.code,
    }
    return _Phrases(*(form.format_map(values) for form in msgspec.structs.astuple(found)))


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(text: str) -> str:
    """Return an instant of a letter as people read it, to the minute, in UTC."""
    at = datetime.fromisoformat(text)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year} {at:%H:%M} UTC"


# 3GPP TS 23.038, 6.2.1, without the escape; what counts twice (6.2.1.1) is left out.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


def gsm(text: str) -> str:
    """Return ``text`` in letters that a plain text message has, one line; others become ``?``.

    Prevents: one foreign letter that makes a message three times as long, and is cut off.
    """
    flat = " ".join(text.split())
    return "".join(one if one in _GSM else "?" for one in flat)
