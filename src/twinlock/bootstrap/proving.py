"""What is proved of a rule book: derived and solved in as many processes as there are cores."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from twinlock.bootstrap.rulebook import RuleBook
from twinlock.domain.canonical import from_b64url
from twinlock.domain.decisions import Rules, agreed
from twinlock.domain.errors import present
from twinlock.domain.money import Prices
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.capabilities import Assumptions
from twinlock.domain.prover.certificate import Certificate, accepted, read
from twinlock.domain.prover.claims import Whole, question
from twinlock.domain.prover.closure import Attack
from twinlock.domain.prover.covering import certify
from twinlock.domain.prover.derived import Derived
from twinlock.domain.prover.enrolment import NOW, Enrolment
from twinlock.domain.prover.matrix import Study, matrix_of
from twinlock.domain.prover.model import Deriver
from twinlock.domain.prover.outcomes import outcomes
from twinlock.domain.prover.proof import Proof, proof_of
from twinlock.domain.prover.system import System, solved, system_of

T = TypeVar("T")
R = TypeVar("R")
DIGEST_BYTES = 32
SHEET = 64  # States of one guard that are solved together: of more the time grows faster.
_PRICE_CENTS = 100  # Of everything: how much leaves is for the prover to say.
Sheet = tuple[System, dict[str, tuple[Attack, ...]]]


def rules_of(book: RuleBook) -> Rules:
    """Return what decides by ``book``, with prices that are known."""
    symbols = {one.symbol for one in book.policy.assets}
    return Rules(
        laws=book.laws,
        statutes=book.statutes,
        policy=book.policy,
        confirm=agreed,
        prices=Prices(as_of=NOW, cents=dict.fromkeys(symbols, _PRICE_CENTS)),
        codes=book.codes,
    )


class Prover:
    """Proves rule books, in ``jobs`` processes; one is this one.

    ``bases``: the states that it looks at, with each lock and variant of them; all that there are.
    """

    def __init__(
        self,
        *,
        jobs: int = 1,
        assumed: Assumptions | None = None,
        bases: Iterable[Enrolment] | None = None,
    ) -> None:
        self._jobs = jobs
        self._assumed = assumed or Assumptions()
        self._asked: tuple[str, tuple[int, ...] | None] | None = None
        self._last: tuple[Sheet, ...] = ()
        self._bases = tuple(enrolment.bases() if bases is None else bases)

    def prove(self, book: RuleBook, *, k: int) -> tuple[Proof, Certificate | None]:
        """Return what is proved of ``book``, and its certificate where it holds."""
        sheets = self.sheets(book)
        proof = proof_of(sheets, policy=book.policy, k=k, assumed=self._assumed)
        if not proof.proved:
            return proof, None
        asked = question(Whole(system for system, _ in sheets), k=k)
        return proof, certify(asked, policy=_digest(book))

    def study(self, book: RuleBook, *, k: int) -> Study:
        """Return all that is looked at of ``book``."""
        sheets = self.sheets(book)
        return Study(
            proof=proof_of(sheets, policy=book.policy, k=k, assumed=self._assumed),
            assumed=self._assumed,
            held=outcomes(sheets),
            matrix=matrix_of(sheets),
        )

    def check(self, book: RuleBook, data: bytes, *, k: int) -> Certificate:
        """Return the certificate that ``data`` is, where it proves the claims made of ``book``.

        Raises:
            CertificateRefusedError: it does not.
        """
        read(data, policy=_digest(book))  # Before anything is asked that takes seconds.
        asked = question(Whole(self.systems(book)), k=k)
        return accepted(data, asked, policy=_digest(book))

    def sheets(self, book: RuleBook, *, sums: tuple[int, ...] | None = None) -> tuple[Sheet, ...]:
        """Return the rules and minimal attacks of all states, sheet by sheet."""
        asked = book.policy.name.digest, sums
        if asked != self._asked:  # What is proved is looked at next.
            systems = self.systems(book, sums=sums)
            self._last = tuple(zip(systems, self._map(solved, systems), strict=True))
            self._asked = asked
        return self._last

    def systems(self, book: RuleBook, *, sums: tuple[int, ...] | None = None) -> tuple[System, ...]:
        """Return the rules of all states, sheet by sheet."""
        global _work  # noqa: PLW0603 - what a forked process inherits, since rules do not travel
        deriver = Deriver(rules_of(book), assumed=self._assumed, sums=sums)
        every = self._bases
        parts = [every[start : start + SHEET] for start in range(0, len(every), SHEET)]
        _work = deriver
        derived = dict(pair for part in self._map(_derive, parts) for pair in part)
        return tuple(
            system_of(
                [(one, derived[one]) for one in states],
                exits=deriver.alike,
                sums=deriver.sums,
                assumed=self._assumed,
            )
            for part in parts
            for states in zip(*map(enrolment.guarded, part), strict=True)
        )

    def _map(self, work: Callable[[T], R], parts: Iterable[T]) -> list[R]:
        if self._jobs == 1:
            return [work(part) for part in parts]
        with _pool(self._jobs) as pool:
            return list(pool.map(work, parts))


def _digest(book: RuleBook) -> bytes:
    return from_b64url(book.policy.name.digest, size=DIGEST_BYTES)


_work: Deriver | None = None


def _derive(bases: tuple[Enrolment, ...]) -> list[tuple[Enrolment, tuple[Derived, ...]]]:
    work = present(_work, "what is derived by is there before it is derived")
    return [(one, work.derive(one)) for base in bases for one in enrolment.guarded(base)]


def _pool(jobs: int) -> Executor:
    return ProcessPoolExecutor(max_workers=jobs, mp_context=get_context("fork"))
