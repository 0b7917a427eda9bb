"""What a roaming thief asks for: every action that is built, with a payload drawn at random.

A payload makes sense as services would have it: it names what is there, or what the thief has made
of his own. Everything of his has a name by which it is known again.

Always true (tests/unit/range/test_roaming.py): every action of the catalogue that is built is asked
for, and each of these payloads can be proposed.
"""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, TypeAlias

from msgspec.structs import replace

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
    NoticeWordSet,
    PasswordChange,
    PasswordReset,
    QuorumLoosen,
    QuorumTighten,
    SessionStart,
    TrustedContactAdd,
    TrustedContactRemove,
)
from twinlock.domain.assurance import Placement
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
    credential_of,
)
from twinlock.domain.bounds import BUDGET_CENTS_MOST, LOCK_DAYS_MOST, SMALL_SUM_CENTS
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import TRADE_SCOPE, WITHDRAW_SCOPE, ActionType
from twinlock.domain.channels import ChannelKind
from twinlock.domain.exits import (
    BANK,
    CardPay,
    ConvertExecute,
    DerivativeOpen,
    GiftSend,
    LoanCollateral,
    MarginOpen,
    P2pRelease,
    PlatformExit,
    StakingStart,
    TradeUnusual,
    TransferInternal,
    TransferSubaccount,
    WithdrawalCrypto,
    WithdrawalFiat,
    asset_in_books,
)
from twinlock.domain.ids import AuthenticatorId, MemberId, tail
from twinlock.domain.money import Asset
from twinlock.domain.notice_words import commitment, packed
from twinlock.range.roaming_ground import CENTS

OWN = "thief"  # What everything of his is named after.
ADDRESSES = tuple("0x" + digit * 40 for digit in "67")
DEVICES = tuple(f"{OWN}{number}".ljust(43, "T") for number in range(3))
MAILS = tuple(f"{OWN}{number}@example.net" for number in range(3))
WHOLE_CENTS = 100_000_000  # All there is: a million dollars.
DEAR = 10**9  # Of which nobody has as much.
SUMS = (1, 100, 50_000, SMALL_SUM_CENTS - 1, SMALL_SUM_CENTS, SMALL_SUM_CENTS + 1, WHOLE_CENTS)
Wish: TypeAlias = tuple[AnyPayload, str]
_ETHEREUM = "ethereum"
_ROBBED = "5" * 43


class Wishes:
    """Draws what ``member`` asks for, by ``random``, of an account as it stands."""

    def __init__(
        self, random: Random, account: Account, *, member: MemberId, assets: tuple[Asset, ...]
    ) -> None:
        self._random = random
        self._account = account
        self._named = account.account_id
        self._member = member
        self._assets = assets

    def any(self) -> Wish:
        """Return any action: mostly one by which money leaves or comes nearer to it."""
        kinds = tuple(WISHES)
        kind = self._random.choices(kinds, [_OFTEN.get(one, 1) for one in kinds])[0]
        return self.one(kind)

    def one(self, kind: str) -> Wish:
        """Return an action of ``kind``, at random."""
        return WISHES[kind](self)

    # --- What is drawn ---

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    def _name(self, prefix: str) -> str:
        return f"{prefix}_{tail(self._random.randbytes(16))}"

    def _fresh(self, prefix: str = OWN) -> str:
        return f"{prefix} {tail(self._random.randbytes(16))}"

    def cents(self) -> int:
        """Return a sum from a cent to all there is."""
        if self._chance(0.5):
            return self._random.choice(SUMS)
        return int(10 ** self._random.uniform(0, 8))

    def _sum_or_none(self) -> int | None:
        return self._random.choice([None, 0, self.cents()])

    def _coin(self, network: str) -> Asset:
        return self._random.choice([one for one in self._assets if one.network == network])

    def _amount(self, asset: Asset) -> str:
        return str(max(self.cents() * 10**asset.decimals // CENTS, 1))

    def _of(self, some: tuple[Any, ...]) -> Any:  # noqa: ANN401 - one of them
        return self._random.choice(some) if some else None

    # --- What leaves ---

    def crypto(self) -> Wish:
        """Return a withdrawal to an address of his."""
        coin = self._coin(_ETHEREUM)
        payload = WithdrawalCrypto(
            account=self._named,
            asset=coin.symbol,
            network=coin.network,
            contract=coin.contract,
            decimals=coin.decimals,
            address=self._random.choice(ADDRESSES),
            memo="",
            amount_minor=self._amount(coin),
            max_fee_minor="0",
        )
        return payload, ""

    def fiat(self) -> Wish:
        """Return a withdrawal to a bank account of his."""
        coin = self._coin(BANK)
        payload = WithdrawalFiat(
            account=self._named,
            asset=coin.symbol,
            network=coin.network,
            decimals=coin.decimals,
            address="DE75512108001245126199",
            memo=OWN,
            amount_minor=self._amount(coin),
            max_fee_minor="0",
        )
        return payload, ""

    def books(self, form: Callable[..., AnyPayload], **terms: object) -> Wish:
        """Return an exit of the platform's own books."""
        coin = asset_in_books(self._coin(_ETHEREUM).symbol, self._assets)
        payload = form(
            account=self._named,
            asset=coin.symbol,
            decimals=coin.decimals,
            amount_minor=self._amount(coin),
            **terms,
        )
        return payload, ""

    # --- What comes nearer ---

    def listing(self) -> Wish:
        """Return the listing of an address of his."""
        budget = self._random.choice([0, 0, 50_000, BUDGET_CENTS_MOST, self.cents()])
        payload = DestinationAdd(
            account=self._named,
            network=_ETHEREUM,
            address=self._random.choice(ADDRESSES),
            memo="",
            budget_cents=budget,
        )
        return payload, ""

    def unlisting(self) -> Wish:
        """Return the end of one."""
        address = self._random.choice(ADDRESSES)
        return (
            DestinationRemove(account=self._named, network=_ETHEREUM, address=address, memo=""),
            "",
        )

    def sign_in(self) -> Wish:
        """Return a sign-in on a device of his, or on one that the account knows."""
        known = tuple(one.thumbprint for one in self._account.devices)
        return SessionStart(account=self._named, device=self._random.choice(DEVICES + known)), ""

    def _made(self, form: type[Any], **fields: object) -> Any:  # noqa: ANN401 - of the form
        return form(
            authenticator_id=AuthenticatorId(self._name("aut")),
            member_id=self._member,
            bound_at=self._account.opened_at,
            entry=0,
            **fields,
        )

    def _passkey(self, member: MemberId | None = None) -> Passkey:
        """Return a new passkey of his, wherever it says that it lives."""
        synced, inside = self._chance(0.3), self._chance(0.3)
        made: Passkey = self._made(
            Passkey,
            credential_id=self._fresh(),
            public_key=self._fresh(),
            backup_eligible=synced,
            placement=Placement.PHONE if synced or inside else Placement.ROAMING,
        )
        return made if member is None else replace(made, member_id=member)

    def bind(self) -> Wish:
        """Return the binding of something of his."""
        some: tuple[Callable[[], Authenticator], ...] = (
            self._passkey,
            self._passkey,
            lambda: self._made(Totp, seed=self._fresh()),
            lambda: self._made(RecoveryCodes, left=(self._fresh(), self._fresh())),
        )
        new = self._random.choice(some)()
        kind = str(new.__struct_config__.tag)
        payload = AuthenticatorBind(account=self._named, authenticator=kind, credential=OWN)
        return payload, encode(new).decode()

    def _password(self) -> str:
        kept = (one for one in self._account.authenticators if isinstance(one, Password))
        old = next((one for one in kept if one.member_id == self._member), None)
        new = old or self._made(Password, verifier="")
        return encode(replace(new, verifier=self._fresh())).decode()

    def change(self) -> Wish:
        """Return a change of the password to one of his."""
        return PasswordChange(account=self._named, verifier=OWN), self._password()

    def reset(self) -> Wish:
        """Return the same for whoever forgot the old one."""
        return PasswordReset(account=self._named, verifier=OWN), self._password()

    def channel(self) -> Wish:
        """Return a channel of his, beside the others or in the place of one; or one that goes."""
        old = self._random.choice([None, *self._account.channels])
        comes = old is None or self._chance(0.7)
        kind = self._random.choice(tuple(ChannelKind)).value
        payload = ContactChange(
            account=self._named,
            channel_id="" if old is None else old.channel_id,
            old_kind="" if old is None else old.kind.value,
            old_address="" if old is None else old.address,
            new_kind=kind if comes else "",
            new_address=self._random.choice(MAILS) if comes else "",
        )
        return payload, self._name("chn") if comes else ""

    def api_key(self) -> Wish:
        """Return an API key of his."""
        some = (("read",), ("read", TRADE_SCOPE), ("read", TRADE_SCOPE, WITHDRAW_SCOPE))
        listed = tuple(sorted(self._account.destinations))
        payload = ApiKeyCreate(
            account=self._named,
            public_key=self._random.choice("KLM") * 43,
            scopes=self._random.choice(some),
            ip_list=self._random.choice([(), ("203.0.113.66/32",)]),
            destinations=listed if self._chance(0.7) else (),
            daily_cents=self.cents(),
        )
        return payload, self._name("key")

    def key_powers(self, form: type[ApiKeyWiden | ApiKeyNarrow]) -> Wish:
        """Return other powers of an API key."""
        key = self._of(self._account.api_keys)
        payload = form(
            account=self._named,
            api_key_id="" if key is None else key.api_key_id,
            ip_list=self._random.choice([(), ("203.0.113.66/32",)]),
            pairs=self._random.choice([(), ("BTC/USDT",)]),
            price_band_bp=self._random.choice([0, 100]),
            notional_daily_cents=self._random.choice([0, self.cents()]),
        )
        return payload, ""

    def revoke(self) -> Wish:
        """Return the end of an API key."""
        key = self._of(self._account.api_keys)
        named = "" if key is None else key.api_key_id
        return ApiKeyRevoke(account=self._named, api_key_id=named), ""

    # --- What only disturbs ---

    def authenticator(self, form: Callable[..., AnyPayload]) -> Wish:
        """Return what is said of something that is bound."""
        one = self._random.choice(self._account.authenticators)
        return form(account=self._named, authenticator_id=one.authenticator_id), ""

    def repudiate_channel(self) -> Wish:
        """Return that a channel was never the owner's."""
        one = self._of(self._account.channels)
        named = "" if one is None else one.channel_id
        return ContactRepudiate(account=self._named, channel_id=named), ""

    def sums(self, form: type[LimitRaise | LimitLower]) -> Wish:
        """Return other limits."""
        day, there, agreed = (self._sum_or_none() for _ in range(3))
        payload = form(
            account=self._named, day_cents=day, destination_cents=there, agreement_cents=agreed
        )
        return payload, ""

    def quorum(self, form: type[QuorumTighten | QuorumLoosen]) -> Wish:
        """Return other sums above which several members agree."""
        two, three = self._sum_or_none(), self._sum_or_none()
        return form(account=self._named, two_cents=two, three_cents=three), ""

    def lock(self, form: type[LockTighten | LockLoosen]) -> Wish:
        """Return another lock."""
        days, two = self._random.choice([0, 1, 3, LOCK_DAYS_MOST]), self._chance(0.5)
        return form(account=self._named, days=days, two_keys=two), ""

    def contact(self) -> Wish:
        """Return a trusted contact of his."""
        made = replace(
            self._passkey(MemberId(self._name("mem"))),
            authenticator_id=AuthenticatorId(self._name("con")),
            name=OWN,
        )
        payload = TrustedContactAdd(
            account=self._named,
            name=OWN,
            credential=credential_of(made),
            first=not self._account.contacts,
        )
        return payload, encode(made).decode()

    def no_contact(self) -> Wish:
        """Return the end of a trusted contact."""
        one = self._of(self._account.contacts)
        named = "" if one is None else one.authenticator_id
        return TrustedContactRemove(account=self._named, contact_id=named), ""

    def member(self) -> Wish:
        """Return a member of his."""
        member = MemberId(self._name("mem"))
        made, name = self._passkey(member), self._fresh()[:20]
        payload = MemberAdd(
            account=self._named, member_id=member, name=name, credential=credential_of(made)
        )
        return payload, encode(made).decode()

    def no_member(self) -> Wish:
        """Return the end of a member."""
        every = (self._account.member_id, *(one.member_id for one in self._account.members))
        return MemberRemove(account=self._named, member_id=self._random.choice(every)), ""

    def word(self) -> Wish:
        """Return another word in messages."""
        secret = packed("thieves word", salt=tail(self._random.randbytes(16)))
        return NoticeWordSet(account=self._named, commitment=commitment(secret)), secret

    def plain(self, form: Callable[..., AnyPayload]) -> Wish:
        """Return what says nothing but what it is."""
        return form(account=self._named), ""


WISHES: Mapping[str, Callable[[Wishes], Wish]] = MappingProxyType(
    {
        ActionType.WITHDRAWAL_CRYPTO: Wishes.crypto,
        ActionType.WITHDRAWAL_FIAT: Wishes.fiat,
        ActionType.TRANSFER_INTERNAL: lambda one: one.books(TransferInternal, counterparty=OWN),
        ActionType.TRANSFER_SUBACCOUNT: lambda one: one.books(TransferSubaccount, subaccount=OWN),
        ActionType.P2P_RELEASE: lambda one: one.books(
            P2pRelease, counterparty=OWN, order="p2p-17", received="45.00 EUR by bank"
        ),
        ActionType.GIFT_SEND: lambda one: one.books(GiftSend, counterparty=OWN),
        ActionType.CARD_PAY: lambda one: one.books(CardPay, card=OWN, merchant=OWN),
        ActionType.TRADE_UNUSUAL: lambda one: one.books(
            TradeUnusual, pair="QTUM/USDT", side="buy", price="31.5"
        ),
        ActionType.LOAN_COLLATERAL: lambda one: one.books(LoanCollateral, loan=OWN),
        ActionType.DERIVATIVE_OPEN: lambda one: one.books(DerivativeOpen, product="BTC-PERP"),
        ActionType.MARGIN_OPEN: lambda one: one.books(MarginOpen, product="BTC/USDT"),
        ActionType.STAKING_START: lambda one: one.books(StakingStart, product="validator_9"),
        ActionType.CONVERT_EXECUTE: lambda one: one.books(ConvertExecute, product="USDT/BTC"),
        ActionType.PLATFORM_EXIT: lambda one: one.books(
            PlatformExit, exit="x.bills", place="x.bills/thief", says="Pay a bill"
        ),
        ActionType.DESTINATION_ADD: Wishes.listing,
        ActionType.DESTINATION_REMOVE: Wishes.unlisting,
        ActionType.SESSION_START: Wishes.sign_in,
        ActionType.AUTHENTICATOR_BIND: Wishes.bind,
        ActionType.AUTHENTICATOR_REMOVE: lambda one: one.authenticator(AuthenticatorRemove),
        ActionType.AUTHENTICATOR_SUSPEND: lambda one: one.authenticator(AuthenticatorSuspend),
        ActionType.AUTHENTICATOR_REACTIVATE: lambda one: one.authenticator(AuthenticatorReactivate),
        ActionType.AUTHENTICATOR_REPUDIATE: lambda one: one.authenticator(AuthenticatorRepudiate),
        ActionType.CONTACT_CHANGE: Wishes.channel,
        ActionType.CONTACT_REPUDIATE: Wishes.repudiate_channel,
        ActionType.PASSWORD_CHANGE: Wishes.change,
        ActionType.PASSWORD_RESET: Wishes.reset,
        ActionType.NOTICE_WORD_SET: Wishes.word,
        ActionType.TRUSTED_CONTACT_ADD: Wishes.contact,
        ActionType.TRUSTED_CONTACT_REMOVE: Wishes.no_contact,
        ActionType.MEMBER_ADD: Wishes.member,
        ActionType.MEMBER_REMOVE: Wishes.no_member,
        ActionType.QUORUM_TIGHTEN: lambda one: one.quorum(QuorumTighten),
        ActionType.QUORUM_LOOSEN: lambda one: one.quorum(QuorumLoosen),
        ActionType.LIMIT_RAISE: lambda one: one.sums(LimitRaise),
        ActionType.LIMIT_LOWER: lambda one: one.sums(LimitLower),
        ActionType.LOCK_TIGHTEN: lambda one: one.lock(LockTighten),
        ActionType.LOCK_LOOSEN: lambda one: one.lock(LockLoosen),
        ActionType.API_KEY_CREATE: Wishes.api_key,
        ActionType.API_KEY_WIDEN: lambda one: one.key_powers(ApiKeyWiden),
        ActionType.API_KEY_NARROW: lambda one: one.key_powers(ApiKeyNarrow),
        ActionType.API_KEY_REVOKE: Wishes.revoke,
        ActionType.FREEZE_SET: lambda one: one.plain(FreezeSet),
        ActionType.FREEZE_LIFT: lambda one: one.plain(FreezeLift),
        ActionType.ACCOUNT_ERASE: lambda one: one.plain(AccountErase),
    }
)
# How often each is asked for beside the others: 1 where nothing is said.
_OFTEN: Mapping[str, int] = MappingProxyType(
    {
        ActionType.WITHDRAWAL_CRYPTO: 16,
        ActionType.TRADE_UNUSUAL: 3,
        ActionType.TRANSFER_INTERNAL: 3,
        ActionType.DESTINATION_ADD: 12,
        ActionType.SESSION_START: 8,
        ActionType.AUTHENTICATOR_BIND: 6,
        ActionType.AUTHENTICATOR_REMOVE: 3,
        ActionType.CONTACT_CHANGE: 6,
        ActionType.PASSWORD_CHANGE: 3,
        ActionType.PASSWORD_RESET: 4,
        ActionType.API_KEY_CREATE: 5,
    }
)
