"""Two policies whose minimal attacks are known from elsewhere, written as they are published.

One is weak, as exchanges were in 2024, and one is hardened. A line reads ``head <- body``; ``+h``
is a delay and ``F`` a freeze, in hours, ``G`` gated, ``N`` told on every channel, and ``|`` parts
alternatives. There a gated wait begins *after* every freeze, here it runs during one: a gated rule
that waits becomes two, which meets the same times.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from twinlock.domain.prover.closure import Attack, Rule

HOUR = 60
OWNER_REACTS = 24  # Hours in which an owner whom a notice reaches says no.
CHANNELS = ("email", "sms", "push", "pc", "guardian")
FACTORS = ("keyA", "keyB", "totp")
CAPABILITIES = (
    "password",
    "sim_swap",
    "mailbox",
    "session_cookie",
    "phish_totp",
    "totp_seed",
    "deepfake_id",
    "id_docs",
    "phone_malware",
    "pc_malware",
    "stolen_hwkey",
    "api_secret",
    "inattentive",
    "agent",
    "agent2",
    "db_write",
)
_GIVEN = """
pw          <- password | phone_malware | pc_malware
sms         <- sim_swap | phone_malware
mail        <- mailbox | phone_malware | pc_malware
session     <- session_cookie | pc_malware
totp        <- phish_totp | totp_seed | phone_malware
keyA        <- phone_malware
keyB        <- stolen_hwkey
api         <- api_secret
mute_email    <- inattentive | mail
mute_sms      <- inattentive | sms
mute_push     <- inattentive | phone_malware
mute_pc       <- inattentive | pc_malware
mute_guardian <- inattentive
"""
_MAILBOX_BY_PHONE = """
mail <- sms
"""
WEAK = """
pw_new  <- mail sms
session <- pw totp F24 | pw sms F24 | pw mail F24 | pw_new sms F24 | pw_new mail F24
stepup  <- session totp | session sms | session mail
totp    <- session sms mail
all     <- deepfake_id id_docs +2 | agent +1 | deepfake_id mail +2 | db_write
session <- all
stepup  <- all
wl      <- session stepup
api     <- session stepup
theft   <- session wl G | session stepup G | api | session stepup
"""
HARDENED = """
bound   <- keyA | keyB
view    <- pw totp | session
newkey  <- keyA keyB +24 F72 | keyA +72 F72 N | keyB +72 F72 N
newkey  <- deepfake_id id_docs mail sms agent agent2 +168 F168 N
newkey  <- deepfake_id id_docs mail sms +168 F168 N
wl      <- keyA keyB +24 G | keyA +72 G N | keyB +72 G N | newkey +72 G N
theft   <- wl keyA G | wl keyB G | wl newkey G
theft   <- keyA keyB G | newkey keyA G | newkey keyB G
api_w   <- keyA keyB +24 G
theft   <- api_w
"""


class Line(NamedTuple):
    """One alternative, in hours; as published, so that a gated wait begins after every freeze."""

    head: str
    body: tuple[str, ...]
    delay: int
    freeze: int
    gated: bool


class Table:
    """Rules of one or several policies over one numbering of atoms: capabilities come first."""

    def __init__(self) -> None:
        self.atoms: dict[str, int] = {name: at for at, name in enumerate(CAPABILITIES)}
        self.rules: dict[Rule, int] = {}
        self.states: list[int] = []  # For each rule, where it stands.

    def atom(self, name: str) -> int:
        return self.atoms.setdefault(name, len(self.atoms))

    def add(self, lines: Iterable[Line], *, state: int = 0) -> None:
        """Add what stands in one state."""
        for line in lines:
            for rule in self._rules(line):
                at = self.rules.setdefault(rule, len(self.rules))
                self.states += [0] * (at + 1 - len(self.states))
                self.states[at] |= 1 << state

    def _rules(self, line: Line) -> tuple[Rule, ...]:
        head, delay, freeze = self.atom(line.head), line.delay * HOUR, line.freeze * HOUR
        body = tuple(self.atom(name) for name in line.body)
        if line.gated and line.delay:
            begun = self.atom(f"begun: {' '.join(line.body)}")
            return (
                Rule(head=begun, body=body, gated=True),
                Rule(head=head, body=(begun,), delay=delay, freeze=freeze),
            )
        return (Rule(head=head, body=body, delay=delay, freeze=freeze, gated=line.gated),)


def lines_of(text: str, *, channels: Sequence[str] = CHANNELS) -> list[Line]:
    """Return what is written, one alternative each; what is told needs every channel muted."""
    found = []
    for written in text.strip().splitlines():
        head, _, alternatives = written.partition("<-")
        for alternative in alternatives.split("|"):
            words = alternative.split()
            body = [word for word in words if word[0].islower()]
            delay = sum(int(word[1:]) for word in words if word[0] == "+")
            freeze = sum(int(word[1:]) for word in words if word[0] == "F")
            if "N" in words and delay >= OWNER_REACTS:
                body += [f"mute_{channel}" for channel in channels]
            found.append(Line(head.strip(), tuple(body), delay, freeze, "G" in words))
    return found


def policy(
    text: str, *, mailbox_by_phone: bool = True, channels: Sequence[str] = CHANNELS
) -> list[Line]:
    """Return a whole policy, with what capabilities give."""
    given = _GIVEN + _MAILBOX_BY_PHONE.lstrip() if mailbox_by_phone else _GIVEN
    return lines_of(given) + lines_of(text, channels=channels)


def enrolments(
    channels: Sequence[str] = CHANNELS,
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the 192 pairs of factors and channels: push stands on the phone with its key."""
    return [
        (factors, chosen)
        for factors in _subsets(FACTORS)
        for chosen in _subsets(channels)
        if "push" not in chosen or "keyA" in factors
    ]


def enrolled(
    text: str, *, factors: Sequence[str] = FACTORS, channels: Sequence[str] = CHANNELS
) -> list[Line]:
    """Return a policy for an account with some factors and channels."""
    absent = set(FACTORS) - set(factors)
    return [
        line
        for line in policy(text, channels=channels)
        if line.head not in absent and not absent & set(line.body)
    ]


def hours(found: Iterable[Attack]) -> dict[frozenset[str], float]:
    """Return attacks in one state as names of capabilities, each set with its hours."""
    return {named(one.capabilities): one.minutes / HOUR for one in found}


def named(capabilities: int) -> frozenset[str]:
    return frozenset(name for bit, name in enumerate(CAPABILITIES) if capabilities >> bit & 1)


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [chosen for size in range(len(names) + 1) for chosen in combinations(names, size)]
