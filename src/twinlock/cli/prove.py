"""``twinlock prove``: that no single compromise steals, from the rules that decide.

Exit codes: 0 it is proved; 1 it is not, and the sets that do it are told; 2 it could not be done.
"""

import errno
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from twinlock.bootstrap.proving import Prover
from twinlock.bootstrap.rulebook import RuleBook, rule_book
from twinlock.cli.console import result, say
from twinlock.cli.files import open_file
from twinlock.cli.proof_page import write_page
from twinlock.domain.bounds import CERTIFICATE_BYTES_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.prover.capabilities import Assumptions
from twinlock.domain.prover.proof import NamedAttack, Proof
from twinlock.domain.prover.theorem import NEVER
from twinlock.domain.prover.words import length, since
from twinlock.range.profiles import DEFAULT, PROFILES, rules_of

NOT_PROVED = 1
K_MOST = 9  # More than anybody asks for; each further one takes longer.
SHOWN_MOST = 8  # Of the sets in words; --json and --html have all of them.


def prove(  # noqa: PLR0913 - each is one option
    *,
    profile: Annotated[
        str, typer.Option(help=f"Whose rules: {', '.join(PROFILES)}, or a .cedar file.")
    ] = DEFAULT,
    k: Annotated[
        int,
        typer.Option(
            min=1, max=K_MOST, help="Fewer compromises than this take no more than a small sum."
        ),
    ] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Where the certificate goes; PROFILE.certificate.json.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Check this certificate, and prove nothing anew.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page to look at, with every profile beside it.")
    ] = None,
    typed_codes: Annotated[
        bool, typer.Option("--typed-codes", help="Malware in the computer catches typed app codes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove that no set of fewer than K compromises ends in theft, in any state of an account."""
    book = rule_book(profile) if profile.endswith(".cedar") else rules_of(profile)
    path = out or Path(f"{book.policy.profile}.certificate.json")
    for one in (path, html) if check is None else ():  # Before what takes a minute.
        if one is not None:
            _can_be_written(one)
    assumed = Assumptions(typed_codes=typed_codes)
    prover = Prover(jobs=os.cpu_count() or 1, assumed=assumed)
    say(f"asking the rules of {book.policy.profile} what they ask for: seconds, up to a minute …")
    if check is not None:
        _check(prover, book, check, k=k, as_json=as_json)
        return
    proof, certificate = prover.prove(book, k=k)
    if certificate is not None:
        path.write_bytes(encode(certificate))
        say(f"{path} says so; check it with --check {path}")
    result(proof, as_json=as_json, text=in_words(proof))
    if html is not None:  # Last: whatever cannot be written there, the rest is told.
        write_page(html, prover=prover, book=book, k=k)
    if certificate is None:
        raise typer.Exit(NOT_PROVED)


def _can_be_written(path: Path) -> None:
    """Refuse at once what could not be written to after a minute of work. Raises OSError."""
    number = 0
    if path.is_dir():
        number = errno.EISDIR
    elif not path.parent.is_dir():
        number = errno.ENOENT
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        number = errno.EACCES
    if number:
        raise OSError(number, os.strerror(number), str(path))


def _check(prover: Prover, book: RuleBook, path: Path, *, k: int, as_json: bool) -> None:
    """Say whether the certificate at ``path`` proves what is claimed of ``book``."""
    with open_file(path) as file:
        data = file.read(CERTIFICATE_BYTES_MOST + 1)
    certificate = prover.check(book, data, k=k)
    result(
        {"certificate": str(path), "k": k, "policy": book.policy.name.digest, "proved": True},
        as_json=as_json,
        text=f"proved: by the rules of {book.policy.profile} {_fewer(k)} no more than a small sum a"
        f" day, as {path} says in {sum(map(len, certificate.proofs))} closed sets",
    )


def in_words(proof: Proof) -> str:
    """Return what is proved, for a terminal."""
    counts = Counter(one.k for one in proof.verdicts)
    narrow = [one for one in proof.verdicts if one.k_any < proof.k <= one.k]
    says = "proved" if proof.proved else "NOT proved"
    within = length(proof.within_minutes)
    fallen = sum(one.k < proof.k for one in proof.verdicts)
    takes = (
        f"more than a small sum a day in {fallen:,} of them,"
        if fallen
        else "no more than a small sum a day in any of them,"
    )
    lines = [
        f"{says}: {proof.profile}, of {proof.states:,} states of an account",
        f"  {_fewer(proof.k)} {takes} within {within}",
        *(
            f"  {count:,} states fall to {_together(size)}"
            for size, count in sorted(counts.items())
        ),
    ]
    if narrow:
        first = min(one.small_from for one in narrow if one.small_from is not None)
        lines.append(
            f"  in {len(narrow):,} of all fewer take a small sum a day, from {length(first)} on"
        )
    short = [one for one in proof.attacks if one.counted and len(one.capabilities) <= proof.k]
    seen: dict[tuple[str, ...], NamedAttack] = {}
    for one in sorted(short, key=lambda one: one.minutes):
        seen.setdefault(one.capabilities, one)
    for one in list(seen.values())[:SHOWN_MOST]:
        lines.append("")
        lines.append(f"{' + '.join(one.capabilities)}: {since(one.minutes)}, as in {one.example}")
        lines += [f"  {since(step.minute)}: {step.says}" for step in one.path]
    if len(seen) > SHOWN_MOST:
        lines += [
            "",
            f"… and {len(seen) - SHOWN_MOST} more such sets: --html or --json has them all",
        ]
    return "\n".join(lines)


def _fewer(k: int) -> str:
    return f"fewer than {_compromises(k)} take"


def _together(size: int) -> str:
    return "no set of compromises" if size == NEVER else _compromises(size)


def _compromises(count: int) -> str:
    return f"{count} compromise{'' if count == 1 else 's'}"
