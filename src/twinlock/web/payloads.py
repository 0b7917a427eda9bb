"""A payload in words: what the customer reads before signing it, field by field.

Always true (tests/integration/test_web_sheets.py): every field stands on the page, whole.
"""

from typing import assert_never

import msgspec

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    AccountErase,
    AnyPayload,
    ApiKeyCreate,
    ApiKeyNarrow,
    ApiKeyRevoke,
    ApiKeyWiden,
    AuthenticatorBind,
    AuthenticatorReactivate,
    AuthenticatorRemove,
    AuthenticatorRepudiate,
    AuthenticatorSuspend,
    ContactChange,
    ContactRepudiate,
    DestinationAdd,
    DestinationRemove,
    FreezeLift,
    FreezeSet,
    LimitLower,
    LimitRaise,
    LockLoosen,
    LockTighten,
    MemberAdd,
    MemberRemove,
    NotBuilt,
    NoticeWordSet,
    PasswordChange,
    PasswordReset,
    QuorumLoosen,
    QuorumTighten,
    SessionStart,
    TrustedContactAdd,
    TrustedContactRemove,
    type_of,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import WEAK_FREEZE_LENGTH
from twinlock.domain.catalogue import TRADE_SCOPE
from twinlock.domain.exits import Exit
from twinlock.domain.listed import Destination
from twinlock.domain.policy.version import Policy
from twinlock.web.exit_words import address_line, memo_line, tell_exit
from twinlock.web.lines import Form, Line, Told
from twinlock.web.own_words import tell_own
from twinlock.web.standing_words import FACTORS, tell_standing
from twinlock.web.words import dollars, how_long, visible


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload's names stand for: assets of the policy, and what the account holds.

    ``account`` is None once the action is over; ``listed`` are the account's destinations, where
    the payload names any. ``own`` says that its owner reads it, and nobody else.
    """

    policy: Policy
    account: Account | None = None
    listed: tuple[Destination, ...] = ()
    own: bool = True


_FREEZING = (
    "It acts at once, and lifting it takes its own proof and its own wait. Set with less than your "
    f"strongest authenticator, it ends by itself after {how_long(WEAK_FREEZE_LENGTH)}."
)
_ERASING = (
    "Nothing brings it back. Nobody can then sign in, and nothing that ever happened here can be "
    "shown or disputed, but for the evidence that you have kept yourself."
)
_SAVED = (
    "Each of them, beside your password, can then sign in once, or replace what you lost. Codes "
    "that you have saved before count no more."
)
_SCOPES = {
    "read": "Look at the account",
    "trade": "Trade",
    "withdraw": "Withdraw, to the destinations below",
}


def tell_payload(payload: AnyPayload, known: Known) -> Told:
    """Return ``payload`` in words."""
    if isinstance(payload, Exit):
        return tell_exit(payload, known.policy, own=known.own)
    match payload:
        case SessionStart():
            return _session_start(payload)
        case AuthenticatorBind():
            return _bind(payload)
        case (
            AuthenticatorRemove()
            | AuthenticatorSuspend()
            | AuthenticatorReactivate()
            | AuthenticatorRepudiate()
            | ContactChange()
            | ContactRepudiate()
            | PasswordChange()
            | PasswordReset()
        ):
            return tell_standing(payload, known.account)
        case FreezeSet() | FreezeLift() | AccountErase() | NotBuilt():
            return _simple(payload)
        case DestinationAdd() | DestinationRemove():
            return _destination(payload, known.policy)
        case (
            LimitRaise()
            | LimitLower()
            | LockTighten()
            | LockLoosen()
            | TrustedContactAdd()
            | TrustedContactRemove()
            | MemberAdd()
            | MemberRemove()
            | QuorumTighten()
            | QuorumLoosen()
            | NoticeWordSet()
        ):
            return tell_own(payload, known.account)
        case ApiKeyCreate() | ApiKeyWiden() | ApiKeyNarrow() | ApiKeyRevoke():
            return _api_key(payload, known)
        case _:
            assert_never(payload)


def _session_start(payload: SessionStart) -> Told:
    return Told(
        title="Sign in",
        lines=(
            Line(
                label="Device key",
                text=payload.device,
                form=Form.EXACT,
                note="The fingerprint of a key that never leaves the device that signs in.",
            ),
        ),
        effect="The device is then signed in for at most 24 hours.",
    )


def _bind(payload: AuthenticatorBind) -> Told:
    kind = FACTORS.get(payload.authenticator, payload.authenticator)
    passkey = payload.authenticator == Factor.PASSKEY
    saved = payload.authenticator == Factor.RECOVERY_CODE
    note = (
        "The new passkey's public half, as it will be kept."
        if passkey
        else "A fingerprint of the secret. The secret itself is not shown."
    )
    return Told(
        title=f"Add an authenticator: {kind.lower()}",
        lines=(
            Line(label="Kind", text=kind),
            Line(label="Name", text=visible(payload.name) or "None"),
            Line(label="Credential", text=payload.credential, form=Form.EXACT, note=note),
        ),
        effect=_SAVED if saved else "Whoever holds it can then sign in and confirm for you.",
    )


def _simple(payload: FreezeSet | FreezeLift | AccountErase | NotBuilt) -> Told:
    match payload:
        case FreezeSet():
            line = Line(label="Stops", text="Everything that leaves, and every weaker protection")
            return Told(
                title="Freeze the account",
                lines=(line,),
                effect=_FREEZING,
            )
        case FreezeLift():
            line = Line(label="Ends", text="The freeze of the whole account")
            return Told(
                title="Lift the freeze",
                lines=(line,),
                effect="Money may then leave again, by the usual rules.",
            )
        case AccountErase(account=account):
            line = Line(label="Destroys", text="All that is kept of this account", heed=True)
            return Told(
                title="Erase the account",
                lines=(line, Line(label="Account", text=account, form=Form.EXACT)),
                effect=_ERASING,
            )
        case NotBuilt(digest=digest):
            return Told(
                title="Something that cannot be decided here",
                lines=(
                    Line(label="Type", text=type_of(payload), form=Form.EXACT),
                    Line(label="Fingerprint of its fields", text=digest, form=Form.EXACT),
                ),
                effect="It is refused.",
            )
        case _:
            assert_never(payload)


def _destination(payload: DestinationAdd | DestinationRemove, policy: Policy) -> Told:
    where = (
        Line(label="Network", text=payload.network),
        address_line("Address", payload.address),
        memo_line("Memo", payload.network, payload.memo, policy),
    )
    if isinstance(payload, DestinationRemove):
        return Told(
            title="Remove a destination",
            lines=where,
            effect="Sending there then waits as for a new destination.",
        )
    cents = payload.budget_cents
    budget = Line(
        label="Without your confirmation",
        text=f"Up to {dollars(cents)} a day" if cents else "Nothing: you confirm each time",
        note="May leave to it from a device that is signed in." if cents else "",
        heed=bool(cents),
    )
    label = Line(label="Label", text=visible(payload.label) or "None")
    return Told(
        title="Add a destination",
        lines=(*where, label, budget),
        effect="Money may then be sent there without the wait for a new destination.",
    )


def _percent(basis_points: int) -> str:
    return f"{basis_points // 100}.{basis_points % 100:02} % at most"


def _powers(payload: ApiKeyCreate | ApiKeyWiden | ApiKeyNarrow) -> tuple[Line, ...]:
    band, most = payload.price_band_bp, payload.notional_daily_cents
    return (
        Line(label="It trades", form=Form.EXACT_LIST, items=payload.pairs or ("Any liquid pair",)),
        Line(label="From the middle", text=_percent(band) if band else "Any price"),
        Line(label="It trades a day", text=f"{dollars(most)} at most" if most else "Any sum"),
    )


def _changed_key(payload: ApiKeyWiden | ApiKeyNarrow) -> Told:
    widens = isinstance(payload, ApiKeyWiden)
    networks = payload.ip_list or ("Any",)
    return Told(
        title="Give an API key more rights" if widens else "Give an API key fewer rights",
        lines=(
            Line(label="Id", text=payload.api_key_id, form=Form.EXACT),
            Line(label="From these networks", form=Form.EXACT_LIST, items=networks),
            *_powers(payload),
        ),
        effect="Whoever holds the key can then do this, without asking you."
        if widens
        else "It acts at once; more than this the key may not do from then on.",
    )


def _of_trading(payload: ApiKeyCreate) -> tuple[Line, ...]:
    """Return what a key that trades may trade, and whose program it is for."""
    lines: tuple[Line, ...] = ()
    if TRADE_SCOPE in payload.scopes:
        lines = _powers(payload)
    if payload.integrator:
        lines += (Line(label="Made for", text=payload.integrator, form=Form.EXACT),)
    return lines


def _api_key(
    payload: ApiKeyCreate | ApiKeyWiden | ApiKeyNarrow | ApiKeyRevoke, known: Known
) -> Told:
    if isinstance(payload, ApiKeyWiden | ApiKeyNarrow):
        return _changed_key(payload)
    if isinstance(payload, ApiKeyRevoke):
        return Told(
            title="End an API key",
            lines=(Line(label="Id", text=payload.api_key_id, form=Form.EXACT),),
            effect="It acts at once; the key is then worth nothing.",
        )
    listed: dict[str, Destination] = {one.destination_id: one for one in known.listed}
    places = tuple(
        f"{listed[named].network}: {listed[named].address} {listed[named].memo}".rstrip()
        if named in listed
        else named
        for named in payload.destinations
    )
    return Told(
        title="Create an API key",
        lines=(
            Line(
                label="It may",
                form=Form.LIST,
                items=tuple(_SCOPES.get(one, one) for one in payload.scopes),
                heed="withdraw" in payload.scopes,
            ),
            Line(
                label="From these networks", form=Form.EXACT_LIST, items=payload.ip_list or ("Any",)
            ),
            Line(label="To these destinations", form=Form.EXACT_LIST, items=places or ("None",)),
            Line(label="A day, at most", text=dollars(payload.daily_cents)),
            *_of_trading(payload),
            Line(label="Public key", text=payload.public_key, form=Form.EXACT),
        ),
        effect="Whoever holds the key can then do this, without asking you.",
    )
