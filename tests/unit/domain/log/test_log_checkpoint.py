from collections.abc import Callable

import pytest

from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.text import to_base64

ROOT = bytes(range(32))
HEAD = Checkpoint(origin="log.example/a", size=7, root=ROOT)


def a_text(
    origin: str = "log.example/a", size: str = "7", root: str = to_base64(ROOT), more: str = ""
) -> bytes:
    return f"{origin}\n{size}\n{root}\n{more}".encode()


def test_a_checkpoint_is_three_lines() -> None:
    assert HEAD.to_text() == a_text()
    assert parse_checkpoint(a_text()) == HEAD


@pytest.mark.parametrize(("size", "number"), [("0", 0), ("9" * 18, 10**18 - 1)])
def test_the_smallest_and_the_largest_size_are_read(size: str, number: int) -> None:
    assert parse_checkpoint(a_text(size=size)).size == number


def test_extension_lines_are_read_over() -> None:
    assert parse_checkpoint(a_text(more="nobody audits this\n")) == HEAD


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"log.example/a\n7\n", id="no root"),
        pytest.param(a_text()[:-1], id="no LF at the end"),
        pytest.param(a_text(more="\n"), id="empty extension line"),
        pytest.param(a_text(origin=""), id="empty origin"),
        pytest.param(a_text(origin="a b"), id="origin that can name no key"),
        pytest.param(a_text(size=""), id="empty size"),
        pytest.param(a_text(size="07"), id="size with a leading zero"),
        pytest.param(a_text(size="+7"), id="size with a sign"),
        pytest.param(a_text(size="1" * 19), id="size of 19 digits"),
        pytest.param(a_text(root=to_base64(ROOT[1:])), id="root of 31 bytes"),
        pytest.param(a_text(root=to_base64(ROOT + b"\0")), id="root of 33 bytes"),
        pytest.param(a_text(root=to_base64(ROOT).rstrip("=")), id="root without padding"),
        pytest.param(a_text(root=to_base64(ROOT)[:-2] + "9="), id="root with stray bits"),
        pytest.param(a_text().replace(b"\n", b"\r\n"), id="CRLF"),
    ],
)
def test_a_malformed_checkpoint_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: Checkpoint(origin="a", size=-1, root=ROOT), id="negative size"),
        pytest.param(lambda: Checkpoint(origin="a", size=10**18, root=ROOT), id="19 digits"),
        pytest.param(lambda: Checkpoint(origin="a", size=1, root=b""), id="empty root"),
    ],
)
def test_a_checkpoint_cannot_be_built_wrong(build: Callable[[], object]) -> None:
    with pytest.raises(InvariantError):
        build()
