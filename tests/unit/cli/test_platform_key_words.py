"""What ``twinlock platform-key`` takes for a public key."""

from pathlib import Path

import pytest

from twinlock.cli.platform_keys import _public_key
from twinlock.domain.canonical import b64url


def test_a_key_is_that_key_whatever_a_file_of_its_name_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: whoever may write where the operator stands, and has requests signed by his key."""
    named = b64url(bytes(range(32)))
    (tmp_path / named).write_text(b64url(bytes(32)))
    (tmp_path / "its.pub").write_text("what it holds")
    monkeypatch.chdir(tmp_path)

    assert _public_key(named) == named
    assert _public_key("its.pub") == "what it holds"
