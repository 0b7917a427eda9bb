"""The file of streams: whose signals are believed is nobody's word but the operator's."""

from pathlib import Path

import pytest
from support.transmitters import mail_stream

from twinlock.adapters.signals.streams import NAME, StreamFile
from twinlock.domain.bounds import SIGNAL_STREAMS_MOST
from twinlock.domain.errors import FileUnsafeError, MalformedError
from twinlock.domain.signal_streams import StreamRefusedError, StreamUnknownError


def test_without_a_file_nobody_is_believed(tmp_path: Path) -> None:
    assert StreamFile(tmp_path).listed() == ()
    with pytest.raises(StreamUnknownError):
        StreamFile(tmp_path).find("mail")


@pytest.mark.parametrize("data", [b"", b"{}", b'[{"stream_id":"mail"}]', b"[1]"])
def test_a_file_that_is_not_what_it_says_lets_nobody_in(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / NAME
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(MalformedError):
        StreamFile(tmp_path).find("mail")


def test_a_file_that_others_may_write_lets_nobody_in(tmp_path: Path) -> None:
    streams = StreamFile(tmp_path / "own")
    streams.add(mail_stream())
    (tmp_path / "own" / NAME).chmod(0o666)
    with pytest.raises(FileUnsafeError):
        streams.find("mail")


def test_there_are_so_many_and_no_more(tmp_path: Path) -> None:
    streams = StreamFile(tmp_path / "own")
    for number in range(SIGNAL_STREAMS_MOST):
        streams.add(mail_stream(stream_id=f"mail-{number}"))
    with pytest.raises(StreamRefusedError):
        streams.add(mail_stream(stream_id="one-more"))


def test_a_token_that_is_not_there_is_not_shown_as_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    empty.chmod(0o600)
    for file in (empty, tmp_path / "missing"):
        with pytest.raises(StreamRefusedError):
            StreamFile(tmp_path).token_of(mail_stream(token_file=str(file)))
