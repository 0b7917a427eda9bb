"""Payloads that change how an account stands, in words: channels, reports, passwords."""

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    AuthenticatorReactivate,
    AuthenticatorRemove,
    AuthenticatorRepudiate,
    AuthenticatorSuspend,
    ContactChange,
    ContactRepudiate,
    PasswordChange,
    PasswordReset,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Password, factor_of
from twinlock.domain.bounds import WEAK_FREEZE_LENGTH
from twinlock.domain.channels import ChannelKind
from twinlock.domain.newcomers import links, narrows
from twinlock.web.lines import Form, Line, Told
from twinlock.web.words import how_long, visible, when

FACTORS: Mapping[str, str] = {
    Factor.PASSKEY: "Passkey",
    Factor.TOTP: "Authenticator app",
    Factor.PASSWORD: "Password",
    Factor.RECOVERY_CODE: "Recovery codes",
}
CHANNELS: Mapping[str, str] = {
    ChannelKind.EMAIL: "E-mail",
    ChannelKind.SMS: "SMS",
    ChannelKind.DESKTOP: "Program on a computer",
}
AboutOne: TypeAlias = (
    AuthenticatorRemove | AuthenticatorSuspend | AuthenticatorReactivate | AuthenticatorRepudiate
)
Standing: TypeAlias = AboutOne | ContactChange | ContactRepudiate | PasswordChange | PasswordReset
_TITLES: Mapping[type, str] = {
    AuthenticatorRemove: "Remove an authenticator",
    AuthenticatorSuspend: "Suspend an authenticator",
    AuthenticatorReactivate: "Reactivate a suspended authenticator",
    AuthenticatorRepudiate: "Undo an authenticator that is not yours",
}
_EFFECTS: Mapping[type, str] = {
    AuthenticatorRemove: "It then no longer signs in or confirms anything.",
    AuthenticatorSuspend: (
        "It acts at once: until it is reactivated it signs in and confirms nothing, and devices "
        "that it signed in are signed out. Said with less than your strongest other "
        f"authenticator, it ends by itself after {how_long(WEAK_FREEZE_LENGTH)}."
    ),
    AuthenticatorReactivate: "It then signs in and confirms again.",
    AuthenticatorRepudiate: (
        "It acts at once: what was added is gone, and so is all that was done with it. A password "
        "is suspended instead, since the one before it is gone: reset it."
    ),
}


def tell_standing(payload: Standing, account: Account | None) -> Told:
    """Return ``payload`` in words; ``account`` is None once the action is over."""
    match payload:
        case ContactChange() | ContactRepudiate():
            return tell_contact(payload, account)
        case PasswordChange() | PasswordReset():
            return tell_password(payload, account)
        case _:
            return tell_authenticator(payload, account)


def tell_authenticator(payload: AboutOne, account: Account | None) -> Told:
    """Return what happens to one authenticator."""
    bound = account and account.authenticator(payload.authenticator_id)
    named: tuple[Line, ...] = ()
    if bound:
        named = (
            Line(label="Kind", text=FACTORS[factor_of(bound)]),
            Line(label="Name", text=visible(bound.name) or "None"),
            Line(label="Added", text=when(bound.bound_at)),
        )
    return Told(
        title=_TITLES[type(payload)],
        lines=(*named, Line(label="Id", text=payload.authenticator_id, form=Form.EXACT)),
        effect=_EFFECTS[type(payload)],
    )


def tell_contact(payload: ContactChange | ContactRepudiate, account: Account | None) -> Told:
    """Return what happens to a notice channel: old and new, whole."""
    if isinstance(payload, ContactRepudiate):
        return _repudiated(payload, account)
    old = () if not payload.channel_id else _channel("old", payload.old_kind, payload.old_address)
    new = () if not payload.new_address else _channel("new", payload.new_kind, payload.new_address)
    if old:
        old = (*old, Line(label="Id of the old one", text=payload.channel_id, form=Form.EXACT))
    title = "Remove a notice channel"
    effect = "Nothing is sent there any more: no notice, no code."
    if new:
        title = "Replace a notice channel" if old else "Add a notice channel"
        effect = "Notices then go there, and codes. It takes a code from there before."
    return Told(title=title, lines=(*old, *new, *_narrow(payload, account)), effect=effect)


def _channel(which: str, kind: str, address: str) -> tuple[Line, ...]:
    return (
        Line(label=f"The {which} one", text=CHANNELS[kind]),
        Line(label=f"Where the {which} one leads", text=address, form=Form.EXACT),
    )


def _narrow(payload: ContactChange, account: Account | None) -> tuple[Line, ...]:
    if account is None or not narrows(account, {payload.channel_id}, payload.new_kind):
        return ()
    text = "No notice channel is left that does not live on your phone"
    note = "Then only a small sum may leave each day, and a new destination waits a week."
    return (Line(label="Mind", text=text, note=note, heed=True),)


def _repudiated(payload: ContactRepudiate, account: Account | None) -> Told:
    every = () if account is None else account.channels
    found = [one for channel in every for one in links(channel)]
    named = (one for one in found if one.channel_id == payload.channel_id)
    lines = [
        Line(label="Where it leads", text=one.address, form=Form.EXACT, note=CHANNELS[one.kind])
        for one in named
    ]
    return Told(
        title="Undo a notice channel that is not yours",
        lines=(*lines, Line(label="Id", text=payload.channel_id, form=Form.EXACT)),
        effect="It acts at once: what it replaced is back, and nothing more goes to it.",
    )


def tell_password(payload: PasswordChange | PasswordReset, account: Account | None) -> Told:
    """Return what happens to the password."""
    note = "The password itself is not shown."
    line = Line(
        label="Fingerprint of the new one", text=payload.verifier, form=Form.EXACT, note=note
    )
    match payload:
        case PasswordChange():
            return Told(
                title="Change the password",
                lines=(line,),
                effect="Only the new password is then taken.",
            )
        case PasswordReset():
            held = () if account is None else account.authenticators
            new = account is not None and not any(isinstance(one, Password) for one in held)
            mind = Line(label="Mind", text="This account has no password yet", heed=True)
            return Told(
                title="Reset the forgotten password",
                lines=(line, mind) if new else (line,),
                effect="Only the new password is then taken, and all devices are signed out.",
            )
        case _:
            assert_never(payload)
