from collections.abc import Callable
from dataclasses import replace

import pytest

from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.log.note import MAX_NOTE_BYTES, SignatureLine, SignedNote
from twinlock.domain.log.proof import (
    MAX_EXTRA_BYTES,
    MAX_PROOF_BYTES,
    TlogProof,
    parse_tlog_proof,
)
from twinlock.domain.log.text import to_base64

HEADER = "c2sp.org/tlog-proof@v1\n"
HASH = to_base64(bytes(32)) + "\n"
NOTE = SignedNote(
    text=b"any text\n",
    signatures=(SignatureLine(name="a", key_id=b"1234", signature=b"s" * 64),),
)


def a_file(
    header: str = HEADER, extra: str = "", index: str = "index 5\n", hashes: str = HASH
) -> bytes:
    return f"{header}{extra}{index}{hashes}\n".encode() + NOTE.encode()


@pytest.mark.parametrize(
    ("data", "proof"),
    [
        pytest.param(
            a_file(), TlogProof(index=5, hashes=(bytes(32),), checkpoint=NOTE), id="plain"
        ),
        pytest.param(
            a_file(index="index 0\n", hashes=""),
            TlogProof(index=0, hashes=(), checkpoint=NOTE),
            id="the only leaf of a log",
        ),
        pytest.param(
            a_file(hashes=HASH * 63),
            TlogProof(index=5, hashes=(bytes(32),) * 63, checkpoint=NOTE),
            id="63 hashes",
        ),
        pytest.param(
            a_file(extra="extra aGk=\n"),
            TlogProof(index=5, hashes=(bytes(32),), checkpoint=NOTE, extra=b"hi"),
            id="with extra data",
        ),
        pytest.param(
            a_file(extra=f"extra {to_base64(bytes(65_536))}\n"),
            TlogProof(index=5, hashes=(bytes(32),), checkpoint=NOTE, extra=bytes(65_536)),
            id="with 64 KiB of extra data",
        ),
    ],
)
def test_a_proof_file_is_written_as_it_was_read(data: bytes, proof: TlogProof) -> None:
    assert parse_tlog_proof(data) == proof
    assert proof.encode() == data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(a_file(header="c2sp.org/tlog-proof@v2\n"), id="another version"),
        pytest.param(a_file(header=""), id="no header"),
        pytest.param(f"{HEADER}index 5\n".encode(), id="no checkpoint"),
        pytest.param(a_file(index="", hashes=""), id="header only"),
        pytest.param(a_file(index=""), id="no index"),
        pytest.param(a_file(index="index\n"), id="index without a number"),
        pytest.param(a_file(index="index 05\n"), id="index with a leading zero"),
        pytest.param(a_file(index="index -5\n"), id="negative index"),
        pytest.param(a_file(extra="extra aGk=\n", index="", hashes=""), id="extra only"),
        pytest.param(a_file(extra="extra \n"), id="empty extra"),
        pytest.param(a_file(extra="extra aGk\n"), id="extra without padding"),
        pytest.param(a_file(extra=f"extra {to_base64(bytes(65_537))}\n"), id="extra too long"),
        pytest.param(a_file(extra="extra aGk=\n" * 2), id="extra twice"),
        pytest.param(a_file(index="index 5\nextra aGk=\n"), id="extra after the index"),
        pytest.param(a_file(hashes=HASH * 64), id="64 hashes"),
        pytest.param(a_file(hashes=to_base64(bytes(31)) + "\n"), id="hash of 31 bytes"),
        pytest.param(a_file().replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(a_file()[:-1], id="checkpoint cut short"),
    ],
)
def test_a_malformed_proof_file_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_tlog_proof(data)


def test_the_longest_proof_file_is_read() -> None:
    filler = b"x" * (MAX_NOTE_BYTES - len(NOTE.encode()))
    proof = TlogProof(
        index=10**18 - 1,
        hashes=(bytes(32),) * 63,
        checkpoint=replace(NOTE, text=filler + NOTE.text),
        extra=bytes(MAX_EXTRA_BYTES),
    )

    assert parse_tlog_proof(proof.encode()) == proof


def test_a_proof_file_is_measured_before_it_is_read() -> None:
    with pytest.raises(MalformedError, match="a proof is too long"):
        parse_tlog_proof(bytes(MAX_PROOF_BYTES + 1))
    with pytest.raises(MalformedError, match="a proof has no checkpoint"):
        parse_tlog_proof(bytes(MAX_PROOF_BYTES))


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: TlogProof(index=-1, hashes=(), checkpoint=NOTE), id="negative index"),
        pytest.param(lambda: TlogProof(index=10**18, hashes=(), checkpoint=NOTE), id="19 digits"),
        pytest.param(
            lambda: TlogProof(index=0, hashes=(bytes(32),) * 64, checkpoint=NOTE), id="64 hashes"
        ),
        pytest.param(lambda: TlogProof(index=0, hashes=(b"",), checkpoint=NOTE), id="short hash"),
        pytest.param(
            lambda: TlogProof(index=0, hashes=(), checkpoint=NOTE, extra=b""), id="empty extra"
        ),
        pytest.param(
            lambda: TlogProof(index=0, hashes=(), checkpoint=NOTE, extra=bytes(65_537)),
            id="extra too long",
        ),
    ],
)
def test_a_proof_cannot_be_built_wrong(build: Callable[[], object]) -> None:
    with pytest.raises(InvariantError):
        build()
