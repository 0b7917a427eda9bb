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
from twinlock.domain.prover.words import length
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
        int, typer.Option(min=1, max=K_MOST, help="Fewer thefts than this steal nothing.")
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
    book = rules_of(profile) if profile in PROFILES else rule_book(profile)
    for path in (out, html):
        if path is not None:
            _can_be_written(path)
    assumed = Assumptions(typed_codes=typed_codes)
    prover = Prover(jobs=os.cpu_count() or 1, assumed=assumed)
    say(f"asking the rules of {book.policy.profile} what they ask for …")
    if check is not None:
        _check(prover, book, check, k=k, as_json=as_json)
        return
    proof, certificate = prover.prove(book, k=k)
    if certificate is not None:
        path = out or Path(f"{book.policy.profile}.certificate.json")
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
        text=f"proved: fewer than {k} thefts, by the rules of {book.policy.profile}, as"
        f" {path} says in {sum(map(len, certificate.proofs))} sets",
    )


def in_words(proof: Proof) -> str:
    """Return what is proved, for a terminal."""
    counts = Counter(one.k for one in proof.verdicts)
    narrow = [one for one in proof.verdicts if one.k_any < proof.k <= one.k]
    says = "proved" if proof.proved else "NOT proved"
    within = length(proof.within_minutes)
    lines = [
        f"{says}: {proof.profile}, in each of {proof.states} states",
        f"  fewer than {proof.k} thefts take no more than a small sum a day, within {within}",
        *(
            f"  {count} states fall to {'nothing' if size == NEVER else size}"
            for size, count in sorted(counts.items())
        ),
    ]
    if narrow:
        first = min(one.small_from for one in narrow if one.small_from is not None)
        lines.append(
            f"  {len(narrow)} of them are narrow: a small sum a day from {length(first)} on"
        )
    short = [one for one in proof.attacks if one.counted and len(one.capabilities) <= proof.k]
    seen: dict[tuple[str, ...], NamedAttack] = {}
    for one in sorted(short, key=lambda one: one.minutes):
        seen.setdefault(one.capabilities, one)
    for one in list(seen.values())[:SHOWN_MOST]:
        lines.append("")
        lines.append(f"{' + '.join(one.capabilities)}: {length(one.minutes)}, as in {one.example}")
        lines += [f"  {length(step.minute)}: {step.says}" for step in one.path]
    return "\n".join(lines)
