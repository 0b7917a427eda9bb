"""Two API keys, their owner's proofs and reports, and time, in any order: what leaves by a key.

What leaves "by a key" is told from the proofs alone, never from what the account counted: the
decision that let it leave had nothing at the floor but the signature of that key.
"""

from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from typing import TypeAlias

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE
from support.gates import Gate
from support.policies import DEFAULT, policies
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    PRICES,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_passkey,
    an_account,
    reactivate,
    remove,
    send,
    suspend,
)

from twinlock.domain.account import ApiKey
from twinlock.domain.actions import AnyPayload, ApiKeyRevoke
from twinlock.domain.assurance import Factor, Level, Placement
from twinlock.domain.commands import Right
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.events import ActionSpent, ApiKeyRevoked, AuthenticatorSuspended
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.policy.version import Policy

HOME, AWAY = "203.0.113.7", "198.51.100.7"
KNOWN = a_destination()
MAKER = a_passkey("aut_desktop", placement=Placement.DESKTOP)
SUM = 300_00
KEYS = ("key_1", "key_2")
# What happens, and to which of the open actions, or of the two keys.
Step: TypeAlias = tuple[str, int]
WORDS = (
    *("propose", "sign", "sign", "sign both", "prove first", "prove", "spend", "spend"),
    *("use", "use and spend", "wait", "night", "revoke", "report", "remove", "find", "price"),
)
steps = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 7)), max_size=40)


def a_key(named: str) -> ApiKey:
    return ApiKey(
        api_key_id=ApiKeyId(named),
        public_key=named * 8,
        scopes=("withdraw",),
        ip_list=(f"{HOME}/32",),
        destinations=(KNOWN.destination_id,),
        daily_cents=SUM,
        created_at=KNOWN.added_at,
        by=(MAKER.entry,),
        entry=1,
        proved_by=(Factor.PASSKEY,),
    )


class Play:
    """One account, and what has left by which key, from the proofs of each spend."""

    def __init__(self, policy: Policy) -> None:
        account = an_account(PASSWORD, SYNCED, ROAMING, MAKER, channels=(EMAIL, SMS, DESKTOP))
        keys = tuple(map(a_key, KEYS))
        self.gate = Gate.of(replace(account, api_keys=keys), KNOWN, policy=policy)
        self.left: dict[tuple[str, str], int] = defaultdict(int)
        self.dead: set[str] = set()

    def step(self, word: str, at: int) -> None:
        gate = self.gate
        open_ = [one.action_id for one in gate.account.actions]
        named = open_[at % len(open_)] if open_ else ""
        match word:
            case "propose":
                gate.propose(send((50, 100, 150, 300)[at % 4]))
            case "use" | "use and spend":
                made = gate.propose(send((100, 150, 200, 300)[at % 4])).action_id
                self.sign(made, KEYS[at // 4])
                if word != "use" and gate.is_open(made):
                    gate.spend(made)
            case "sign both" | "prove first":
                self.both(first=word == "prove first")
            case "sign" if named:
                self.sign(named, KEYS[at % 2], ip=AWAY if at == 7 else HOME)
            case "prove" if named:
                gate.prove(named, SYNCED)
            case "spend" if named:
                self.spend(named)
            case _:
                self.pass_by(word, at)

    def pass_by(self, word: str, at: int) -> None:
        """Let time or prices pass, or the owner say something."""
        match word:
            case "wait":
                self.gate.wait(timedelta(minutes=(0, 1, 16, 60)[at % 4]))
            case "night":
                self.gate.wait(timedelta(hours=6 * (1 + at)))
            case "price":
                self.gate.price_list = {**PRICES, "USDT": (50, 100, 100, 200)[at % 4]}
            case _:
                self.say(word, at)

    def sign(self, action: str, named: str, *, ip: str = HOME) -> None:
        if self.gate.is_open(action):
            right = Right(
                factor=Factor.API_KEY, source=named, against=named * 8, ip=ip, evidence=b"{}"
            )
            self.gate.answer(action, right)

    def both(self, *, first: bool) -> None:
        """Have a withdrawal signed by the first key and proved by the phone, in one instant."""
        made = self.gate.propose(send(150)).action_id
        if first:
            self.gate.prove(made, SYNCED)
        self.sign(made, KEYS[0])
        if not first and self.gate.is_open(made):
            self.gate.prove(made, PASSWORD, SYNCED)

    def spend(self, action: str) -> None:
        if isinstance(self.gate.action(action).payload, type(send())):
            self.gate.spend(action)

    def say(self, word: str, at: int) -> None:
        """Propose what the owner says of a key, of what made it, or of the phone, and prove it."""
        one = (MAKER, SYNCED)[at % 2]
        payloads: dict[str, AnyPayload] = {
            "revoke": ApiKeyRevoke(account=ALICE, api_key_id=ApiKeyId(KEYS[at % 2])),
            "report": suspend(one),
            "remove": remove(one),
            "find": reactivate(one),
        }
        if word in payloads:
            made = self.gate.propose(payloads[word]).action_id
            if self.gate.is_open(made):
                self.gate.prove(made, PASSWORD if at > 5 and word == "report" else ROAMING)

    def note(self, since: int) -> None:
        for before, decided, at in self.gate.book[since:]:
            states = (before, *decided.states)
            for state, decision in zip(states, decided.decisions, strict=False):
                facts = decision.facts
                for event in decision.events:
                    match event:
                        case ActionSpent() if facts is not None and facts.shown_level < facts.floor:
                            action = state.account.action(event.action_id)
                            [by] = [
                                one.source
                                for one in action.shown
                                if one.factor is Factor.API_KEY and state.account.stands(one)
                            ]
                            assert facts.floor > Level.NONE
                            assert by not in self.dead, "a stopped key never proves again"
                            self.left[by, at.date().isoformat()] += facts.value_cents
                        case ApiKeyRevoked(api_key_id=named):
                            self.dead.add(named)
                        case AuthenticatorSuspended(authenticator_id=named):
                            if named == MAKER.authenticator_id:
                                self.dead.update(KEYS)
                        case _:
                            pass


# Signed by the first key, proved by the phone's passkey, and then that is reported: open ones too.
BOTH = [("use", 0), ("sign both", 1), ("sign both", 1), ("sign both", 1), ("report", 1)]


@example([*BOTH, *(("spend", 1), ("spend", 1), ("spend", 0))], DEFAULT)
@example([("prove first", 0)] * 4 + [("report", 1)] + [("spend", 0)] * 4, DEFAULT)
@example(
    [("use", 1), ("use", 1), ("revoke", 0), ("sign", 1), ("spend", 0), ("use and spend", 7)],
    DEFAULT,
)
@example([("report", 0), ("wait", 0), ("find", 0), ("use and spend", 0)], DEFAULT)
@example([("report", 0), ("remove", 0), *[("night", 7)] * 3, ("use and spend", 0)], DEFAULT)
@example([("report", 6), *[("night", 7)] * 3, ("use and spend", 0)], DEFAULT)
@example([("use", 0), ("price", 3), ("spend", 0), ("price", 1), ("use and spend", 0)], DEFAULT)
@given(steps, policies())
def test_what_leaves_by_a_key_in_a_day_is_never_more_than_its_sum(
    happenings: list[Step], policy: Policy
) -> None:
    play = Play(policy)
    for word, at in happenings:
        before = len(play.gate.book)
        with suppress(DocumentTooLargeError):  # A clear answer: nothing was decided.
            play.step(word, at)
        play.note(before)
        assert all(cents <= SUM for cents in play.left.values())
