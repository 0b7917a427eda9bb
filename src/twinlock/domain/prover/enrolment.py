"""States of enrolment: what an account can have bound, as accounts that the gate decides on.

Everything in a state is old: bound long ago, in one sitting. What a thief adds comes on top
(``moves``). A session of the owner's, and API keys of an older system without a list of addresses,
stand in every account: whoever does not hold them cannot show them, and they change nothing else.

Always true (tests/unit/domain/prover/test_enrolment.py): each state has a name of its own, and what
it names is what its account holds.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, combinations, product
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, Chain, Session
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
)
from twinlock.domain.bounds import SMALL_SUM_CENTS
from twinlock.domain.canonical import b64url
from twinlock.domain.catalogue import TRADE_SCOPE, WITHDRAW_SCOPE
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.ids import (
    ApiKeyId,
    AuthenticatorId,
    ChannelId,
    MemberId,
    SessionId,
    account_id,
)
from twinlock.domain.limits import Limits
from twinlock.domain.locks import OPEN, Lock

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)  # Any noon: everything is as old as it is from there.
OLD = NOW - timedelta(days=400)
OWNER = account_id(b"a customer's id.")
MEMBER = MemberId("mem_owner")
LOCK_DAYS = 7  # Longer than a newcomer's first day, and shorter than a month.
LOCKS = (
    OPEN,
    Lock(days=LOCK_DAYS),
    Lock(days=LOCK_DAYS, two_keys=True),
    Lock(days=LOCK_DAYS, both_keys=True),
)
_WORDS = {
    OPEN: "no lock",
    LOCKS[1]: f"a lock of {LOCK_DAYS} days",
    LOCKS[2]: f"a lock of {LOCK_DAYS} days that two keys spare",
    LOCKS[3]: f"a lock of {LOCK_DAYS} days and of both keys",
}
T = TypeVar("T")


def _owned(name: str, entry: int) -> dict[str, object]:
    return {
        "authenticator_id": AuthenticatorId(name),
        "member_id": MEMBER,
        "bound_at": OLD,
        "entry": entry,
    }


def _passkey(
    name: str, entry: int, placement: Placement = Placement.PHONE, *, synced: bool = False
) -> Passkey:
    return Passkey(
        **_owned(name, entry),  # type: ignore[arg-type] # the fields that all have
        credential_id=f"credential of {name}",
        public_key=f"key of {name}",
        backup_eligible=synced,
        placement=placement,
    )


PASSWORD = Password(**_owned("aut_password", 1), verifier="hash")  # type: ignore[arg-type] # as above
APP = Totp(**_owned("aut_totp", 2), seed="seed")  # type: ignore[arg-type] # as above
PHONE_KEY = _passkey("aut_phone", 3, synced=True)
BUILT_IN_KEY = _passkey("aut_built_in", 4)  # Into the computer or the phone: nobody knows.
ROAMING_KEY = _passkey("aut_roaming", 5, Placement.ROAMING)
SAVED = RecoveryCodes(**_owned("aut_saved", 6), left=("code",))  # type: ignore[arg-type] # as above
CONTACT = _passkey("aut_contact", 9, synced=True)  # Of another person.
OPTIONAL: tuple[Authenticator, ...] = (APP, PHONE_KEY, BUILT_IN_KEY, ROAMING_KEY)
_NAMES = {
    APP.authenticator_id: "totp",
    PHONE_KEY.authenticator_id: "phone_key",
    BUILT_IN_KEY.authenticator_id: "built_in_key",
    ROAMING_KEY.authenticator_id: "roaming_key",
    SAVED.authenticator_id: "saved_codes",
}
CHANNELS = tuple(
    Channel(
        channel_id=ChannelId(f"chn_{kind}"),
        kind=kind,
        address=f"{kind}@owner",
        bound_at=OLD,
        entry=number,
    )
    for number, kind in enumerate(ChannelKind, start=7)
)
SESSION = Session(
    session_id=SessionId("ses_owner"),
    member_id=MEMBER,
    thumbprint="device".ljust(43, "A"),
    started_at=NOW - timedelta(minutes=5),
    seen_at=NOW,
    bound_at=OLD,
    entry=10,
)


def api_key(name: str, *scopes: str) -> ApiKey:
    """Return an API key as an older system made them: from anywhere, to anywhere, any sum."""
    return ApiKey(
        api_key_id=ApiKeyId(name),
        public_key=f"key of {name}",
        scopes=scopes,
        ip_list=(),
        destinations=(),
        daily_cents=0,
        created_at=NOW - timedelta(days=1),
        proved_by=(Factor.PASSKEY, Factor.PASSWORD, Factor.TOTP),
    )


TRADE_KEY = api_key("key_trade", "read", TRADE_SCOPE)
WITHDRAW_KEY = api_key("key_withdraw", "read", TRADE_SCOPE, WITHDRAW_SCOPE)


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """One state: a password, with these authenticators, channels and this lock beside it.

    ``contact``: above a small sum a day a trusted contact agrees.
    ``planted``: an address of the thief's stands on the list, which an older system took over and
    the owner never signed. ``keys``: which API keys of an older system there are.
    """

    authenticators: tuple[Authenticator, ...]
    channels: tuple[Channel, ...]
    lock: Lock = OPEN
    contact: bool = False
    planted: bool = False
    keys: tuple[ApiKey, ...] = ()

    @property
    def name(self) -> str:
        """Return the name of this state: the same in every report."""
        parts = [
            "+".join(("password", *(_NAMES[one.authenticator_id] for one in self.authenticators))),
            "+".join(one.kind.value for one in self.channels) or "no channel",
            _WORDS[self.lock],
            *(("a trusted contact",) if self.contact else ()),
            *(("a planted address",) if self.planted else ()),
            *(one.api_key_id.removeprefix("key_") + " key" for one in self.keys),
        ]
        return " | ".join(parts)


def _subsets(some: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    return chain.from_iterable(combinations(some, size) for size in range(len(some) + 1))


def bases() -> Iterator[Enrolment]:
    """Give each set of authenticators with each set of channels: what all else stands on."""
    for bound, told in product(_subsets(OPTIONAL), _subsets(CHANNELS)):
        yield Enrolment(authenticators=bound, channels=told)


def guarded(base: Enrolment) -> tuple[Enrolment, ...]:
    """Return ``base`` under each kind of lock, and with a trusted contact."""
    return (*(replace(base, lock=lock) for lock in LOCKS), replace(base, contact=True))


def with_contact(account: Account) -> Account:
    """Return ``account`` with a trusted contact who agrees above a small sum a day."""
    return replace(account, contacts=(CONTACT,), limits=Limits(agreement_cents=SMALL_SUM_CENTS))


def account_of(state: Enrolment) -> Account:
    """Return the account of a state, with the owner's session and the older system's keys.

    What guards it, a lock or a contact, is left to the facts: nothing else hangs on that.
    """
    return Account(
        account_id=OWNER,
        member_id=MEMBER,
        opened_at=OLD,
        chain=Chain(label_key=b64url(bytes(32)), entries=100),
        authenticators=(PASSWORD, *state.authenticators, SAVED),
        channels=state.channels,
        sessions=(SESSION,),
        api_keys=(TRADE_KEY, WITHDRAW_KEY),
    )
