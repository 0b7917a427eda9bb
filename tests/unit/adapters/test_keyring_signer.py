"""The keyring at work: what was signed once is not signed again."""

from pathlib import Path

import pytest
from support.stores import make_keyring

from twinlock.adapters.keyring.ring import load
from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.domain.log.note import parse_note
from twinlock.ports.log import (
    Head,
)


@pytest.fixture
def signer(tmp_path: Path) -> KeyringSigner:
    make_keyring(tmp_path / "ring")
    return KeyringSigner(load(tmp_path / "ring"), log_origin="localhost/twinlock-test")


def test_a_head_that_has_not_changed_is_signed_once(signer: KeyringSigner) -> None:
    head = Head(size=7, root=bytes(32))

    first, again = signer.checkpoint(head), signer.checkpoint(Head(size=7, root=bytes(32)))

    assert again is first


def test_a_head_that_has_changed_is_signed_anew(signer: KeyringSigner) -> None:
    first = signer.checkpoint(Head(size=7, root=bytes(32)))
    grown = signer.checkpoint(Head(size=8, root=bytes(32)))

    assert first != grown
    assert [parse_note(one).text.splitlines()[1] for one in (first, grown)] == [b"7", b"8"]
