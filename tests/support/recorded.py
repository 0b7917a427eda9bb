"""Every bundle that the tests of ``verify_bundle`` show it, with what it says of each.

The tests are run as they stand, case by case, with a recorder between them and the verifier; so a
forgery that somebody adds there is met by every other verifier, too.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from twinlock.domain.bundle import Bundle
from twinlock.domain.canonical import encode
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.trust import Trust
from twinlock.proofs.bundles import VerifiedBundle, verify_bundle


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One file that was shown to the verifier, whom that believed, and what came of it."""

    name: str
    data: bytes
    trust: Trust
    known: Checkpoint | None
    said: VerifiedBundle | BundleRefusedError


def shown_in(*modules: ModuleType) -> list[Shown]:
    """Run the tests of ``modules`` that take no fixture, and return what they showed."""
    found: list[Shown] = []
    for module in modules:
        for name, test in vars(module).copy().items():
            if name.startswith("test_"):
                for at, case in enumerate(_cases(test)):
                    _run(module, test, case, f"{name}[{at}]", found)
    return found


def _cases(test: Callable[..., object]) -> Iterator[dict[str, Any]]:
    """Yield the arguments of each case, as ``parametrize`` gives them."""
    tables = [
        [_arguments(mark.args[0], values) for values in mark.args[1]]
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "parametrize"
    ]
    for rows in itertools.product(*tables):
        yield {name: value for row in rows for name, value in row.items()}


def _arguments(names: str | tuple[str, ...], values: Any) -> dict[str, Any]:  # noqa: ANN401 - of any test
    listed = [one.strip() for one in names.split(",")] if isinstance(names, str) else list(names)
    marked = hasattr(values, "marks")
    given = values.values if marked else values
    row = given if marked or len(listed) > 1 else (given,)
    return dict(zip(listed, row, strict=True))


def _run(
    module: ModuleType,
    test: Callable[..., object],
    case: dict[str, Any],
    name: str,
    found: list[Shown],
) -> None:
    def record(
        bundle: Bundle | bytes, *, trust: Trust, known: Checkpoint | None = None
    ) -> VerifiedBundle:
        def keep(said: VerifiedBundle | BundleRefusedError) -> None:
            with suppress(UnicodeEncodeError):  # Half a character stands in no file.
                data = bundle if isinstance(bundle, bytes) else encode(bundle)
                found.append(Shown(name=name, data=data, trust=trust, known=known, said=said))

        try:
            verified = verify_bundle(bundle, trust=trust, known=known)
        except BundleRefusedError as refused:
            keep(refused)
            raise
        keep(verified)
        return verified

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "verify_bundle", record)
        test(**case)
