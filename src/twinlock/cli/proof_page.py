"""The page of a proof: one file to look at, which needs no script, no network and no other file.

Always true (tests/e2e/test_proof_page.py): the page asks for nothing from anywhere; it is as
accessible as the other pages; its numbers are those of the JSON.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import jinja2
import msgspec

from twinlock.bootstrap.proving import Prover
from twinlock.bootstrap.rulebook import RuleBook
from twinlock.cli.progress import progress
from twinlock.domain.bounds import SMALL_SUM_CENTS
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.prover.capabilities import TABLE, Capability, Kind
from twinlock.domain.prover.matrix import Cell, Matrix, Study
from twinlock.domain.prover.outcomes import Held, Whose
from twinlock.domain.prover.outcomes import whose as whose_of
from twinlock.domain.prover.proof import Proof
from twinlock.domain.prover.theorem import NEVER
from twinlock.domain.prover.words import length
from twinlock.range.profiles import PROFILES, rules_of

HERE = Path(__file__).parent
HOUR, DAY = 60, 24 * 60  # Minutes.

NAMES: Mapping[Capability, str] = MappingProxyType(
    {
        Capability.PASSWORD: "Password",
        Capability.EMAIL_FULL: "Mailbox",
        Capability.SMS_RECEIVE: "Phone number",
        Capability.TOTP_RELAY: "Relayed app code",
        Capability.TOTP_SEED: "App seed",
        Capability.SESSION_COOKIE: "Session cookie",
        Capability.PHONE_MALWARE: "Phone malware",
        Capability.PC_MALWARE: "Computer malware",
        Capability.PASSKEY_PROVIDER: "Synced passkeys",
        Capability.HW_KEY: "Security key",
        Capability.RECOVERY_CODE: "Recovery codes",
        Capability.PII: "Personal data",
        Capability.ID_IMAGES: "Document pictures",
        Capability.FORGED_ID: "Forged document",
        Capability.DEEPFAKE_VIDEO: "Deepfake video",
        Capability.CAMERA_INJECTION: "Injected camera",
        Capability.MAIL_BOMB: "Mail bomb",
        Capability.API_KEY_TRADE: "Trading API key",
        Capability.API_KEY_WITHDRAW: "Withdrawing API key",
        Capability.FORGED_LEGAL: "Forged court order",
        Capability.CHAIN_DUST: "Look-alike dust",
        Capability.COUNTERPARTY: "Another account",
        Capability.CONTACT_TURNED: "Trusted contact",
        Capability.STAFF_READ: "Bribed reader",
        Capability.STAFF_SUPPORT: "Bribed support",
        Capability.STAFF_APPROVE: "Bribed reviewer",
        Capability.STAFF_APPROVE_2: "Second reviewer",
        Capability.NOTICE_PROVIDER: "Notice provider",
        Capability.STAFF_ADMIN: "Database writer",
        Capability.PLATFORM_KEY: "Platform key",
        Capability.APP_DEPLOY: "Application deploy",
        Capability.LOG_KEY: "Log key",
        Capability.SEALING_KEY: "Sealing key",
        Capability.AUTHORIZATION_KEY: "Authorization key",
        Capability.OFFICER: "Officer",
        Capability.OFFICER_2: "Second officer",
        Capability.OFFICER_3: "Third officer",
        Capability.INATTENTIVE: "Inattentive owner",
        Capability.PERSUADE_OWNER: "Persuaded owner",
        Capability.COERCE_OWNER: "Coerced owner",
    }
)
KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.THIEF: "Thief",
        Kind.INSIDER: "Insider",
        Kind.OPERATOR: "Operator",
        Kind.OWNER: "Owner",
    }
)
GROUPS: Mapping[Whose, tuple[str, str]] = MappingProxyType(
    {
        Whose.THIEVES: (
            "Thieves",
            "What can be stolen from a customer. Counted by the theorem.",
        ),
        Whose.INSIDERS: (
            "Insiders",
            "With somebody bribed, alone or beside what is stolen. Counted by the theorem.",
        ),
        Whose.OPERATORS: (
            "Operators",
            "With what the operator's own machines and keys hold. Shown, not counted.",
        ),
        Whose.OWNER: (
            "The owner's own will",
            "With an owner who is persuaded, coerced or inattentive. Not counted: made to wait.",
        ),
    }
)
SIZES = ("Nothing but what was planted before", "One alone", "Two together", "Three together")

# The steps of the scale, the strongest first: from so many minutes on the next one is meant.
STEPS: tuple[tuple[str, int], ...] = (
    ("at once", HOUR),
    ("within a day", DAY + 1),
    ("within 7 days", 7 * DAY + 1),
)
# Where a time stands on the strip of a path, in hundredths of its width: between these, evenly.
_KNOTS = ((0, 2.0), (HOUR, 9.0), (DAY, 27.0), (7 * DAY, 51.0), (30 * DAY, 74.0), (60 * DAY, 98.0))
TICKS = ((0, "now"), (DAY, "1 d"), (7 * DAY, "7 d"), (30 * DAY, "30 d"), (60 * DAY, "60 d"))


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """How many states fall to so many compromises, and which part of all that is, in percent."""

    size: int
    says: str
    states: int
    part: float


class Narrow(msgspec.Struct, frozen=True, kw_only=True):
    """How many states are narrow in one way: from when on a small sum leaves, and when all does."""

    states: int
    small_from: int
    all_from: int | None


def write_page(path: Path, *, prover: Prover, book: RuleBook, k: int) -> None:
    """Write the page of ``book`` to ``path``, with every profile beside it."""
    books = {name: rules_of(name) for name in PROFILES} | {book.policy.profile: book}
    studies = []
    with progress("proving every profile", len(books)) as advance:
        for one in books.values():
            studies.append(prover.study(one, k=k))
            advance(len(studies), len(books))
    chosen = next(one for one in studies if one.proof.policy == book.policy.name.digest)
    path.write_text(page_of(chosen, beside=studies), encoding="utf-8")


def page_of(study: Study, *, beside: Sequence[Study]) -> str:
    """Return the page of a study, with those ``beside`` it in their order."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        dollars=dollars,
        inside=inside,
        length=length,
        much=much,
        place=place,
        short=short,
        spaced=spaced,
        when=when,
    )
    templates.globals.update(
        APP_DEPLOY=Capability.APP_DEPLOY,
        COUNTED=(Kind.THIEF, Kind.INSIDER),
        END=study.proof.within_minutes,
        KINDS=KINDS,
        NAMES=NAMES,
        SMALL=SMALL_SUM_CENTS,
        TABLE=TABLE,
        TICKS=TICKS,
        WHOLE=KNOWN_CENTS_MOST,
        bars=bars,
        gained=gained,
        groups=groups,
        idle=idle,
        kinds=kinds,
        level=level,
        levels=levels,
        narrow=narrow,
        needless=needless,
        soonest=soonest,
        stealing=stealing,
    )
    return templates.get_template("proof.html").render(study=study, beside=beside)


# --- Words ---


def dollars(cents: int) -> str:
    """Return US cents in whole dollars."""
    return f"US${cents // 100:,}"


def much(cents: int) -> str:
    """Return how much leaves."""
    return "Whole account" if cents >= KNOWN_CENTS_MOST else f"{dollars(cents)} a day"


def when(minutes: int) -> str:
    """Return from when on something is so."""
    return f"after {length(minutes)}" if minutes else "at once"


def short(minutes: int | None) -> str:
    """Return a time in as little room as a cell has."""
    if minutes is None:
        return "–"
    if minutes == 0:
        return "now"
    for size, unit in ((DAY, "d"), (HOUR, "h")):
        if minutes % size == 0:
            return f"{minutes // size} {unit}"
    return f"{minutes} min"


def place(minutes: int) -> float:
    """Return where a time stands on a strip, in hundredths of its width."""
    for (start, left), (end, right) in pairwise(_KNOTS):
        if minutes <= end:
            return round(left + (right - left) * (minutes - start) / (end - start), 1)
    return _KNOTS[-1][1]


def inside(name: str) -> str:
    """Return a name as it stands inside a sentence; what is written in capitals stays so."""
    return name if name[:2].isupper() else name[0].lower() + name[1:]


def spaced(name: str) -> str:
    """Return the name of a state as it reads best; the JSON has it without the spaces."""
    return name.replace("+", " + ").replace("_", " ").replace(" | ", " · ")


# --- Scale ---


def levels(within_minutes: int) -> tuple[tuple[int, str], ...]:
    """Return the steps of the scale, the strongest first, each with what it means."""
    later = (f"within {length(within_minutes)}", "later than that", "never")
    every = (*(says for says, _ in STEPS), *later)
    return tuple((len(every) - number, says) for number, says in enumerate(every, start=1))


def level(matrix: Matrix, cell: Cell) -> int:
    """Return the step of the scale that a cell stands on; 0 is never."""
    if cell.minutes is None:
        return 0
    if not matrix.within(cell):
        return 1
    sooner = [number for number, (_, end) in enumerate(STEPS) if cell.minutes < end]
    return 2 + len(STEPS) - min(sooner, default=len(STEPS))


# --- What is shown of a study ---


def bars(proof: Proof, *, beside: Iterable[Study] = ()) -> tuple[Bar, ...]:
    """Return how many states fall to how many; each number that ``beside`` has is told."""
    counts = Counter(one.k for one in proof.verdicts)
    others = {verdict.k for one in beside for verdict in one.proof.verdicts}
    sizes = sorted({1, 2, 3, NEVER} | set(counts) | others)
    return tuple(
        Bar(
            size=size,
            says=_falls_to(size),
            states=counts[size],
            part=round(100 * counts[size] / proof.states, 1),
        )
        for size in sizes
    )


def _falls_to(size: int) -> str:
    if size == NEVER:
        return "to none"
    return "without any" if size == 0 else f"to {size} compromise{'' if size == 1 else 's'}"


def narrow(proof: Proof) -> tuple[Narrow, ...]:
    """Return in which ways states are narrow, the soonest end first; never comes last."""
    counts = Counter(
        (one.small_from, one.all_from)
        for one in proof.verdicts
        if one.k_any < proof.k <= one.k and one.small_from is not None
    )
    order = sorted(counts.items(), key=lambda pair: (pair[0][0], pair[0][1] or float("inf")))
    return tuple(
        Narrow(states=count, small_from=small, all_from=whole) for (small, whole), count in order
    )


def groups(held: Iterable[Held]) -> Iterator[tuple[Whose, str, str, list[tuple[str, list[Held]]]]]:
    """Give each group with its name, what it is, and its sets by how many they hold."""
    every = list(held)
    for whose, (name, says) in GROUPS.items():
        by_size: dict[int, list[Held]] = {}
        for one in every:
            if one.whose is whose:
                by_size.setdefault(one.size, []).append(one)
        yield whose, name, says, [(_together(size), some) for size, some in by_size.items()]


def _together(size: int) -> str:
    return SIZES[size] if size < len(SIZES) else f"{size} together"


def gained(study: Study, capability: Capability) -> tuple[Held, ...]:
    """Return the sets that hold ``capability`` and at most one more."""
    return tuple(
        one
        for one in study.held
        if one.size <= 2 and (capability in one.all_of or one.one_of == (capability,))  # noqa: PLR2004 - it and one more
    )


def kinds(matrix: Matrix) -> list[tuple[Kind, int]]:
    """Return whose capabilities stand beside each other in a matrix, and how many of each."""
    return list(Counter(TABLE[one].kind for one in matrix.capabilities).items())


def needless(matrix: Matrix) -> list[Capability]:
    """Return the capabilities that give nothing, alone or with any other, under any policy."""
    return [one for one in TABLE if one not in matrix.capabilities]


def idle(study: Study, whose: Whose) -> list[Capability]:
    """Return the capabilities of a group that no attack on this policy needs."""
    needed = {one for held in study.held for one in (*held.all_of, *held.one_of)}
    return [one for one in TABLE if one not in needed and whose_of((one,)) is whose]


def soonest(matrix: Matrix, *, alone: bool) -> tuple[Capability, Capability, Cell] | None:
    """Return the compromise, or the two, that steal soonest; in most states, of those; or None."""
    some = [row for row in matrix.counted_pairs(alone=alone) if row[2].minutes is not None]
    return min(some, key=lambda row: (row[2].minutes, -row[2].states), default=None)


def stealing(matrix: Matrix, *, alone: bool) -> tuple[int, int]:
    """Return how many, alone or in pairs, steal in the time of the theorem; of how many."""
    some = matrix.counted_pairs(alone=alone)
    return sum(matrix.within(cell) for _, _, cell in some), len(some)
