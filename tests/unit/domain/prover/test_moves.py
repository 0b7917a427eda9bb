"""What else the catalogue lets a thief do: none of it adds an attack, alone or two in a row.

Each other change is put to the gate with all proofs that lead to it; from the account that it makes
everything is derived once more. What a thief binds or adds himself he shows for nothing there.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from support.proved import ASSUMED, DESKTOP, EMAIL, SMS, deriver, rules, sheet_by

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyWiden,
    AuthenticatorBind,
    AuthenticatorReactivate,
    AuthenticatorRemove,
    AuthenticatorRepudiate,
    AuthenticatorSuspend,
    ContactRepudiate,
    FreezeLift,
    FreezeSet,
    LimitLower,
    LimitRaise,
    LockLoosen,
    LockTighten,
    PasswordChange,
    TrustedContactAdd,
    TrustedContactRemove,
    type_of,
)
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import RecoveryCodes, Totp, credential_of
from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.canonical import encode
from twinlock.domain.channels import ChannelKind
from twinlock.domain.effects import effects
from twinlock.domain.ids import AuthenticatorId, MemberId
from twinlock.domain.locks import OPEN
from twinlock.domain.prover import enrolment, model, moves
from twinlock.domain.prover.derived import Derived, undominated
from twinlock.domain.prover.enrolment import (
    APP,
    BUILT_IN_KEY,
    CONTACT,
    LOCKS,
    MEMBER,
    NOW,
    OWNER,
    PHONE_KEY,
    ROAMING_KEY,
    TRADE_KEY,
    Enrolment,
    account_of,
)
from twinlock.domain.prover.growth import growth
from twinlock.domain.prover.model import MINUTE, START, Deriver, Tried, waits
from twinlock.domain.prover.moves import OWN_CHANNEL, OWN_KEY, OWN_PASSWORD, Place
from twinlock.domain.prover.probing import proposed, state_of
from twinlock.domain.prover.showing import Unit, told_of, units
from twinlock.domain.replay import apply_all

pytestmark = pytest.mark.timeout(400)  # Seconds where nothing else runs.

MONTH = PROVED_WITHIN // MINUTE
PAIRS = 12  # Of two such changes in a row, in each state.
OWN_APP = Totp(
    authenticator_id=AuthenticatorId("aut_thief_app"),
    member_id=MEMBER,
    bound_at=NOW,
    entry=24,
    seed="a thief's",
)
OWN_CODES = RecoveryCodes(
    authenticator_id=AuthenticatorId("aut_thief_codes"),
    member_id=MEMBER,
    bound_at=NOW,
    entry=25,
    left=("code",),
)
ON_A_PHONE = replace(OWN_KEY, placement=Placement.PHONE)
FRIEND = replace(
    OWN_KEY,
    authenticator_id=AuthenticatorId("con_thief"),
    member_id=MemberId("mem_friend"),
    name="Friend",
)


@dataclass(frozen=True, kw_only=True)
class Other:
    """Something else that a thief may have done."""

    payload: AnyPayload
    secret: str = ""


def bind(one: object, kind: Factor) -> Other:
    payload = AuthenticatorBind(
        account=OWNER, authenticator=kind.value, credential="digest", name=""
    )
    return Other(payload=payload, secret=encode(one).decode("ascii"))


def of_authenticators(account: Account) -> Iterator[Other]:
    """Give what may be done to each authenticator, and to bind others."""
    for one in account.authenticators:
        named = one.authenticator_id
        yield Other(payload=AuthenticatorSuspend(account=OWNER, authenticator_id=named))
        yield Other(payload=AuthenticatorRemove(account=OWNER, authenticator_id=named))
        yield Other(payload=AuthenticatorRepudiate(account=OWNER, authenticator_id=named))
        if one.suspension is not None:
            yield Other(payload=AuthenticatorReactivate(account=OWNER, authenticator_id=named))
    bound = {one.authenticator_id for one in account.authenticators}
    for new, kind in (
        (OWN_APP, Factor.TOTP),
        (OWN_CODES, Factor.RECOVERY_CODE),
        (OWN_KEY, Factor.PASSKEY),
        (ON_A_PHONE, Factor.PASSKEY),
    ):
        if new.authenticator_id not in bound:
            yield bind(new, kind)
    changed = PasswordChange(account=OWNER, verifier="digest")
    yield Other(payload=changed, secret=encode(OWN_PASSWORD).decode("ascii"))


def of_channels(account: Account) -> Iterator[Other]:
    """Give what may be done to each channel: removed, replaced by each kind, one more beside."""
    taken = {one.channel_id for one in account.channels}
    for old in (None, *account.channels):
        old_one = moves.change_of(old)
        if old is not None:
            yield Other(payload=replace(old_one, new_kind="", new_address=""))
            yield Other(payload=ContactRepudiate(account=OWNER, channel_id=old.channel_id))
        for kind in ChannelKind:
            new = replace(old_one, new_kind=kind.value, new_address=f"{kind}@thief")
            if OWN_CHANNEL.channel_id not in taken:
                yield Other(payload=new, secret=OWN_CHANNEL.channel_id)


def of_rules(account: Account) -> Iterator[Other]:
    """Give what may be done to limits, locks, freezes, contacts and API keys."""
    yield Other(payload=LimitRaise(account=OWNER, day_cents=None, destination_cents=None))
    yield Other(payload=LimitLower(account=OWNER, day_cents=1, destination_cents=1))
    yield Other(
        payload=LimitLower(
            account=OWNER,
            day_cents=None,
            destination_cents=None,
            agreement_cents=SMALL_SUM_CENTS,
        )
    )
    for days, two, both in ((1, False, False), (30, False, False), (7, True, False)):
        yield Other(payload=LockTighten(account=OWNER, days=days, two_keys=two, both_keys=both))
    yield Other(payload=LockLoosen(account=OWNER, days=0, two_keys=False))
    yield Other(payload=FreezeSet(account=OWNER))
    yield Other(payload=FreezeLift(account=OWNER))
    added = TrustedContactAdd(
        account=OWNER,
        name="Friend",
        credential=credential_of(FRIEND),
        first=not account.contacts,
    )
    if FRIEND not in account.contacts:
        yield Other(payload=added, secret=encode(FRIEND).decode("ascii"))
    yield Other(payload=TrustedContactRemove(account=OWNER, contact_id=CONTACT.authenticator_id))
    yield Other(
        payload=ApiKeyWiden(
            account=OWNER,
            api_key_id=TRADE_KEY.api_key_id,
            ip_list=(),
            pairs=("QTUM/USDT",),
            price_band_bp=1_000,
            notional_daily_cents=0,
        )
    )


def others(account: Account) -> tuple[Other, ...]:
    return (*of_authenticators(account), *of_channels(account), *of_rules(account))


def with_own(place: Place) -> tuple[Unit, ...]:
    """Return what can be shown there, with what the thief made himself: that costs nothing."""
    account = place.account
    own = [
        *(one for one in account.authenticators if one.authenticator_id.startswith("aut_thief")),
        *(one for one in account.channels if one.channel_id == OWN_CHANNEL.channel_id),
    ]
    codes = {ChannelKind.EMAIL, ChannelKind.SMS}
    shown = (one for one in own if getattr(one, "kind", ChannelKind.EMAIL) in codes)
    free = tuple(Unit(takes=frozenset(), shows=(one,)) for one in shown if one != OWN_KEY)
    return (*units(place), *free)


class Wanderer(Deriver):
    """Derives the rules of a state, and those of every account that other changes make of it."""

    def __init__(self, profile: str) -> None:
        super().__init__(rules(profile), assumed=ASSUMED)
        self.reached = 0

    def derive(self, state: Enrolment) -> tuple[Derived, ...]:
        usual = super().derive(state)
        account = replace(moves.with_tools(account_of(state)), lock=state.lock)
        if state.contact:
            account = enrolment.with_contact(account)
        self._lock, self._contact = OPEN, False  # They stand in the account itself.
        self._put.clear()
        self._holds.clear()
        start = Place(name=START, account=account)
        first = list(self._after(start, others(account)))
        found = [*usual, *self._from(first)]
        chance = random.Random(state.name)  # noqa: S311 - the same sample each time
        for place, _ in chance.sample(first, min(len(first), PAIRS)):
            some = others(place.account)
            found += self._from(list(self._after(place, chance.sample(some, 3))))
        self._put.clear()
        self._holds.clear()
        return undominated(found)

    def _from(self, reached: list[tuple[Place, list[Derived]]]) -> Iterator[Derived]:
        """Give the ways to places, and what is done from there."""
        for place, leads in reached:
            self.reached += 1
            yield from leads
            yield from self._first(place)
            yield from self._of_place(place)

    def _after(
        self, place: Place, some: tuple[Other, ...] | list[Other]
    ) -> Iterator[tuple[Place, list[Derived]]]:
        """Give each account that the gate makes of ``place``, with the ways there."""
        for number, other in enumerate(some):
            made: dict[bytes, tuple[Account, list[Derived]]] = {}
            probe = proposed(place.account, other.payload, secret=other.secret, now=NOW)
            kind = type_of(other.payload)
            for tried in self._try_all(probe, with_own(place), self.judge):
                minutes = waits(self.judge(tried.facts))
                if minutes is None:
                    continue
                account = self._made(place, tried)
                known = made.setdefault(encode(account), (account, []))
                at = list(made.values()).index(known)
                told = told_of(place) if minutes >= self._reacts else frozenset[str]()
                lead = Derived(
                    head=f"at:{place.name}+{number} {kind} {at}",
                    body=tried.takes | told | {f"at:{place.name}"},
                    delay=minutes,
                    action=kind,
                )
                known[1].append(lead)
            for account, leads in made.values():
                yield replace(place, name=leads[0].head[3:], account=account), leads

    def _made(self, place: Place, tried: Tried) -> Account:
        """Return what a yes makes of the account: no hold, and every tool there still."""
        by = self._rules.policy.statutes
        state, action = state_of(tried.probe), tried.probe.action
        every = effects(state, action, tried.facts, statutes=by, fresh="a" * 26)
        account = apply_all(state, every).account
        return replace(
            account,
            holds=(),
            actions=tuple[OpenAction, ...](),
            sessions=place.account.sessions,
            api_keys=place.account.api_keys,
            authenticators=tuple(replace(one, by=(), behind=()) for one in account.authenticators),
            channels=tuple(replace(one, by=(), behind=()) for one in account.channels),
        )


STATES = (
    Enrolment(authenticators=(), channels=(EMAIL, SMS)),
    Enrolment(authenticators=(APP,), channels=(EMAIL, DESKTOP)),
    Enrolment(authenticators=(BUILT_IN_KEY,), channels=(EMAIL, DESKTOP)),
    Enrolment(authenticators=(PHONE_KEY, ROAMING_KEY), channels=(EMAIL, SMS)),
    Enrolment(authenticators=(APP, ROAMING_KEY), channels=(SMS,), lock=LOCKS[1]),
    Enrolment(authenticators=(PHONE_KEY,), channels=(EMAIL, DESKTOP), contact=True),
    Enrolment(authenticators=(APP, BUILT_IN_KEY), channels=()),
)


@pytest.mark.parametrize(("profile", "states"), [("default", STATES), ("strict", STATES[3:5])])
def test_no_other_change_adds_an_attack_within_a_month(
    profile: str, states: tuple[Enrolment, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = sheet_by(deriver(profile), states)
    monkeypatch.setattr(model, "units", with_own)
    wanderer = Wanderer(profile)
    new = growth([usual], [sheet_by(wanderer, states)])

    assert wanderer.reached > len(states) * PAIRS
    assert [one for one in new if one.minutes < MONTH] == []
