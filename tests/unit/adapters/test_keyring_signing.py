from pathlib import Path

import pytest
from support.stores import make_keyring

from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.domain.errors import LogDamagedError
from twinlock.ports.log import (
    Head,
)

AT_3 = Head(size=3, root=bytes(32))
AT_5 = Head(size=5, root=b"\x05" * 32)


@pytest.fixture
def signer(tmp_path: Path) -> KeyringSigner:
    return KeyringSigner(make_keyring(tmp_path / "keys"), log_origin="tests.example/log")


def test_one_head_has_one_note(signer: KeyringSigner) -> None:
    assert signer.checkpoint(AT_3) == signer.checkpoint(AT_3)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(AT_3, id="a smaller log"),
        pytest.param(Head(size=5, root=bytes(32)), id="another one of the same size"),
    ],
)
def test_two_histories_are_not_signed_by_one_process(signer: KeyringSigner, head: Head) -> None:
    signed = signer.checkpoint(AT_5)

    with pytest.raises(LogDamagedError, match="not the one that was signed"):
        signer.checkpoint(head)
    assert signer.checkpoint(AT_5) == signed
