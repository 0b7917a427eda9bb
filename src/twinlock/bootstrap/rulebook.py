"""What the gate decides by: the laws, with a policy version and both of its engines."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from twinlock.adapters import cedar, policies
from twinlock.adapters.setting_table import PROFILES
from twinlock.domain.answers import Teller
from twinlock.domain.decisions import Rules
from twinlock.domain.laws import LAWS, Law
from twinlock.domain.officers.standing import PolicyNotLoadedError
from twinlock.domain.policy.version import Policy
from twinlock.domain.proving import CodesHelp, codes_help
from twinlock.ports import (
    PriceFeed,
    ScreeningFeed,
)
from twinlock.ports.log import (
    LogSigner,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """What the gate decides by: laws, and a policy version with what confirms its yeses."""

    laws: tuple[Law, ...]
    statutes: tuple[Law, ...]
    policy: Policy
    confirm: Law
    codes: CodesHelp = codes_help


@lru_cache  # Reading and checking a policy takes a fifth of a second.
def rule_book(profile: str = "default") -> RuleBook:
    """Return the laws with the statutes of a profile: all that ``serve`` can pass.

    ``profile`` is a name or the path of a policy file. Raises PolicyRefusedError.
    """
    policy, engine = policies.load(profile)
    return RuleBook(
        laws=LAWS, statutes=policy.statutes.laws(), policy=policy, confirm=engine.confirm
    )


@lru_cache(maxsize=4)
def book_of_text(text: bytes) -> RuleBook:
    """Return the laws with the policy version that is kept as ``text``.

    Raises:
        PolicyRefusedError: this release cannot decide by it.
    """
    policy, engine = policies.compile_kept(text)
    return RuleBook(
        laws=LAWS, statutes=policy.statutes.laws(), policy=policy, confirm=engine.confirm
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPolicy:
    """A policy as it would be decided by, and the line on which each of its rules begins."""

    policy: Policy
    lines: Mapping[str, int]


def checked_policy(path: Path) -> CheckedPolicy:
    """Return the policy in a file, checked. Raises PolicyRefusedError."""
    text, name = policies.named_text(str(path))
    policy, _ = policies.compile_policy(text, profile=name)
    return CheckedPolicy(policy=policy, lines=cedar.lines_in(text))


def profile_setting(path: Path) -> str:
    """Return what to set TWINLOCK_PROFILE to, to decide by ``path``: a name, or a whole path."""
    return str(path) if str(path) in PROFILES else str(path.resolve())


def weaker_book(laws: tuple[Law, ...], text: str, *, profile: str, codes: CodesHelp) -> RuleBook:
    """Return other laws with the statutes of ``text``: for the range, which alone may ask.

    Raises:
        PolicyRefusedError: as ``rule_book``.
    """
    policy, engine = policies.compile_policy(text, profile=profile)
    return RuleBook(
        laws=laws,
        statutes=policy.statutes.laws(),
        policy=policy,
        confirm=engine.confirm,
        codes=codes,
    )


class BookPolicies:
    """The rules of the book in force, and what the world says. Implements ``ports.Policies``."""

    def __init__(
        self,
        in_force: Callable[[], RuleBook],
        *,
        renew: Callable[[], Awaitable[None]] | None = None,
        prices: PriceFeed,
        signer: LogSigner,
        screening: ScreeningFeed | None = None,
    ) -> None:
        self._in_force = in_force
        self._renew = renew
        self._prices = prices
        self._screening = screening
        self._signer = signer

    def rules(self) -> Rules:
        """Return what the next decision is made by."""
        book = self._in_force()
        return Rules(
            laws=book.laws,
            statutes=book.statutes,
            policy=book.policy,
            confirm=book.confirm,
            prices=self._prices.prices(),
            screening=None if self._screening is None else self._screening.screening(),
            codes=book.codes,
        )

    def teller(self) -> Teller:
        """Return how the next answer is signed."""
        return Teller(
            policy=self._in_force().policy,
            log_origin=self._signer.log_origin,
            sign=self._signer.authorization,
        )

    async def renew(self, digest: str) -> None:
        """Have what comes next decided by the version in force (see ``ports.Policies``)."""
        if self._renew is None:
            raise PolicyNotLoadedError(f"what decides here is fixed, and {digest} is in force")
        await self._renew()
