import os
from dataclasses import replace
from pathlib import Path

import pytest

from twinlock.adapters.anchor import AnchorFile
from twinlock.domain import canonical
from twinlock.domain.errors import (
    AnchorMovedError,
    AnchorWrongError,
    FileUnsafeError,
    InvariantError,
)
from twinlock.ports.log import (
    Anchor,
)

ROOT_3, ROOT_5, OTHER_ROOT = bytes(32), b"\x05" * 32, b"\xff" * 32
AT_3 = Anchor(size=3, root=ROOT_3, checkpoint="log.example\n3\nAAAA\n\n— log.example x\n")
AT_5 = Anchor(size=5, root=ROOT_5, checkpoint="log.example\n5\nBBBB\n\n— log.example y\n")


@pytest.fixture
def file(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "state" / "anchor")


def test_before_the_first_checkpoint_there_is_no_anchor(file: AnchorFile) -> None:
    assert file.read() is None


def test_an_anchor_reads_back_byte_for_byte_and_is_private(
    file: AnchorFile, tmp_path: Path
) -> None:
    file.advance(AT_3, expected_size=None)
    file.advance(AT_5, expected_size=3)

    assert file.read() == AT_5
    assert (tmp_path / "state" / "anchor").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("expected", [None, 0, 2, 4])
def test_an_anchor_moves_only_from_where_its_caller_saw_it(
    file: AnchorFile, expected: int | None
) -> None:
    file.advance(AT_3, expected_size=None)

    with pytest.raises(AnchorMovedError, match="meanwhile"):
        file.advance(AT_5, expected_size=expected)
    assert file.read() == AT_3


def test_a_first_anchor_is_expected_by_nobody(file: AnchorFile) -> None:
    with pytest.raises(AnchorMovedError, match="meanwhile"):
        file.advance(AT_3, expected_size=0)


def test_a_log_never_shrinks(file: AnchorFile) -> None:
    file.advance(AT_5, expected_size=None)

    with pytest.raises(AnchorMovedError, match="shrinks"):
        file.advance(replace(AT_5, size=4), expected_size=5)


def test_one_size_keeps_one_root(file: AnchorFile) -> None:
    file.advance(AT_3, expected_size=None)

    with pytest.raises(AnchorMovedError, match="one root"):
        file.advance(replace(AT_3, root=OTHER_ROOT), expected_size=3)


def test_cosignatures_may_arrive_later(file: AnchorFile) -> None:
    cosigned = replace(AT_3, checkpoint=AT_3.checkpoint + "— witness.example z\n")
    file.advance(AT_3, expected_size=None)

    file.advance(cosigned, expected_size=3)

    assert file.read() == cosigned


GOOD = canonical.encode({"checkpoint": "x", "root": canonical.b64url(ROOT_3), "size": 3})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(GOOD[:-1], id="cut"),
        pytest.param(GOOD.replace(b'"size":3', b'"size":-3'), id="a negative size"),
        pytest.param(GOOD.replace(b'"size":3', b'"size":3.0'), id="a float"),
        pytest.param(GOOD.replace(b'"size":3', b'"size":3,"size":4'), id="a doubled key"),
        pytest.param(GOOD.replace(b'"size":3', b'"size":3,"x":4'), id="a field too many"),
        pytest.param(GOOD.replace(b'"root":"AA', b'"root":"A'), id="a short root"),
        pytest.param(GOOD.replace(b'"root":"AA', b'"root":"\xffA'), id="no UTF-8"),
        pytest.param(GOOD + b"\n", id="a newline after it"),
    ],
)
def test_a_file_that_we_did_not_write_is_no_anchor(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "anchor"
    path.write_bytes(data)
    path.chmod(0o600)

    with pytest.raises(AnchorWrongError):
        AnchorFile(path).read()


def test_an_anchor_that_others_could_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    path.write_bytes(GOOD)
    path.chmod(0o620)

    with pytest.raises(FileUnsafeError, match="open to others"):
        AnchorFile(path).read()


def test_a_killed_writer_leaves_the_old_anchor(file: AnchorFile, tmp_path: Path) -> None:
    file.advance(AT_3, expected_size=None)
    draft = tmp_path / "state" / f".anchor.{os.getpid()}.new"
    draft.write_bytes(b'{"checkpoint":"half')

    assert file.read() == AT_3
    file.advance(AT_5, expected_size=3)
    assert file.read() == AT_5


@pytest.mark.parametrize(("size", "root"), [(-1, ROOT_3), (3, b"\x00" * 31), (3, b"\x00" * 33)])
def test_an_anchor_cannot_be_built_wrong(size: int, root: bytes) -> None:
    with pytest.raises(InvariantError):
        Anchor(size=size, root=root, checkpoint="x")
