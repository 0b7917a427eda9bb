"""Limits, locks and other people in words: what is set, and from when it holds."""

from typing import TypeAlias

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    LimitLower,
    LimitRaise,
    LockLoosen,
    LockTighten,
    MemberAdd,
    MemberRemove,
    NoticeWordSet,
    QuorumLoosen,
    QuorumTighten,
    TrustedContactAdd,
    TrustedContactRemove,
)
from twinlock.domain.bounds import CONTACT_WAIT
from twinlock.domain.members import FIRST_MEMBER
from twinlock.domain.notice_words import opened
from twinlock.domain.people import contact_of
from twinlock.web.lines import Form, Line, Told
from twinlock.web.words import dollars, how_long, visible

Company: TypeAlias = MemberAdd | MemberRemove | QuorumTighten | QuorumLoosen
Own: TypeAlias = (
    LimitRaise
    | LimitLower
    | LockTighten
    | LockLoosen
    | TrustedContactAdd
    | TrustedContactRemove
    | Company
    | NoticeWordSet
)
_NONE = "No limit of your own: what the platform allows"
_NEVER = "Never"
_AGREES = (
    "Above the sum that you set for it, nothing then leaves unless a trusted contact of yours "
    "agrees, on their own device. They see what they are asked about and nothing else, and can "
    f"start nothing. Removing them takes {how_long(CONTACT_WAIT)}."
)


def tell_own(payload: Own, account: Account | None = None) -> Told:
    """Return ``payload`` in words; ``account`` is None once the action is over."""
    if isinstance(payload, TrustedContactAdd | TrustedContactRemove):
        return _contact(payload, account)
    if isinstance(payload, LimitRaise | LimitLower):
        return _limits(payload)
    if isinstance(payload, LockTighten | LockLoosen):
        return _lock(payload)
    if isinstance(payload, NoticeWordSet):
        return _word(payload, account)
    return _company(payload, account)


def _limits(payload: LimitRaise | LimitLower) -> Told:
    raises, agreed = isinstance(payload, LimitRaise), payload.agreement_cents
    return Told(
        title="Raise your limits" if raises else "Lower your limits",
        lines=(
            Line(label="A day, in all", text=_sum(payload.day_cents), heed=raises),
            Line(
                label="A day, to one destination",
                text=_sum(payload.destination_cents),
                heed=raises,
            ),
            Line(
                label="A trusted contact must agree",
                text=_above(agreed),
                heed=raises,
            ),
        ),
        effect=(
            "So much may leave a day then, once the wait is over and nobody has objected."
            if raises
            else "It acts at once. Raising them again waits."
        ),
    )


def _sum(cents: int | None) -> str:
    return _NONE if cents is None else f"At most {dollars(cents)}"


def _above(cents: int | None) -> str:
    return _NEVER if cents is None else f"To more than {dollars(cents)} a day"


_BESIDE = Line(
    label="What is needed beside it",
    text="Two independent authenticators; the wait begins with the second. "
    "30 days after you reported one lost, the other one",
)


def _lock(payload: LockTighten | LockLoosen) -> Told:
    loosens = isinstance(payload, LockLoosen)
    days = f"{payload.days} days" if payload.days != 1 else "1 day"
    spared = payload.two_keys and not payload.both_keys
    keys = "Two independent authenticators, shown together" if spared else "Nobody"
    if not payload.days:
        return Told(
            title="End your lock",
            lines=(Line(label="Then waits", text="What would wait without a lock", heed=True),),
            effect="It ends when its own delay is over and nobody has objected.",
        )
    return Told(
        title="Loosen your lock" if loosens else "Lock your account",
        lines=(
            Line(label="All that leaves or weakens waits", text=days, heed=loosens),
            Line(label="Who is spared the wait", text=keys),
            *((_BESIDE,) if payload.both_keys else ()),
        ),
        effect=(
            "It holds when the old lock's delay is over and nobody has objected."
            if loosens
            else "It acts at once. Loosening it takes as long as it says, for everybody."
        ),
    )


def _contact(payload: TrustedContactAdd | TrustedContactRemove, account: Account | None) -> Told:
    if isinstance(payload, TrustedContactAdd):
        passkey = "Their passkey's public half, as it will be kept."
        return Told(
            title="Add a trusted contact" if payload.first else "Add another trusted contact",
            lines=(
                Line(label="Who", text=visible(payload.name), heed=not payload.first),
                Line(label="Credential", text=payload.credential, form=Form.EXACT, note=passkey),
            ),
            effect=_AGREES,
        )
    found = None if account is None else contact_of(account, payload.contact_id)
    who = () if found is None else (Line(label="Who", text=visible(found.name), heed=True),)
    return Told(
        title="Remove a trusted contact",
        lines=(*who, Line(label="Id", text=payload.contact_id, form=Form.EXACT)),
        effect="Then they agree to nothing; without anybody else, nobody is asked any more.",
    )


def _company(payload: Company, account: Account | None) -> Told:
    match payload:
        case MemberAdd():
            return Told(
                title="Add a member",
                lines=(
                    Line(label="Who", text=visible(payload.name), heed=True),
                    Line(label="Id", text=payload.member_id, form=Form.EXACT),
                    Line(
                        label="Credential",
                        text=payload.credential,
                        form=Form.EXACT,
                        note="Their passkey's public half, as it will be kept.",
                    ),
                ),
                effect="They may then do whatever one member of this account may do alone, and "
                "agree to the rest.",
            )
        case MemberRemove():
            named = "" if account is None else _named(account, payload.member_id)
            who = (Line(label="Who", text=visible(named), heed=True),) if named else ()
            return Told(
                title="Remove a member",
                lines=(*who, Line(label="Id", text=payload.member_id, form=Form.EXACT)),
                effect="Their authenticators are then nobody's, and their devices are signed out.",
            )
        case _:
            return _quorum(payload)


def _named(account: Account, member_id: str) -> str:
    """Return what a member is called, or "" where nobody of the account has that id."""
    if member_id == account.member_id:
        return FIRST_MEMBER
    return next((one.name for one in account.members if one.member_id == member_id), "")


def _quorum(payload: QuorumTighten | QuorumLoosen) -> Told:
    loosens = isinstance(payload, QuorumLoosen)
    sums = (("Two members", payload.two_cents), ("Three members", payload.three_cents))
    return Told(
        title="Have fewer members agree" if loosens else "Have more members agree",
        lines=tuple(
            Line(
                label=f"{label} must agree",
                text=_above(cents),
                heed=loosens,
            )
            for label, cents in sums
        ),
        effect=(
            "When the wait is over and nobody has objected, this is how many must agree."
            if loosens
            else "From then on this is how many must agree. To whatever weakens the account's "
            "protection as many must agree as to the largest sum."
        ),
    )


def _word(payload: NoticeWordSet, account: Account | None) -> Told:
    """Return a word that is being set; once that is over no page shows it any more."""
    every = () if account is None else account.actions
    found = next((one.secret for one in every if one.payload == payload), "")
    shown = (Line(label="The word", text=opened(found, payload.commitment)),) if found else ()
    return Told(
        title="Set the word in our messages",
        lines=(
            *shown,
            Line(
                label="Fingerprint",
                text=payload.commitment,
                form=Form.EXACT,
                note="Of the word and a random number: nobody can guess the word by it.",
            ),
        ),
        effect=(
            "Every message of ours then holds it, and whatever comes without it is not from us. No "
            "page ever asks you for it. Do not choose a word that is also a password or a PIN."
        ),
    )
