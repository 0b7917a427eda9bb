"""The operator's file of receivers."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from twinlock.adapters.transmitting.receivers import NAME, ReceiverFile, digest_of
from twinlock.domain.errors import FileUnsafeError, MalformedError
from twinlock.domain.transmitting.streams import (
    Receiver,
    ReceiverId,
    ReceiverRefusedError,
    ReceiversUnreadableError,
    ReceiverTokenRefusedError,
    ReceiverUnknownError,
    TokenAlgorithm,
)

BROKER = Receiver(
    receiver_id=ReceiverId("rcv_1"),
    name="broker",
    audience="https://broker.example/signals",
    token_digest=digest_of("geheim"),
)

OTHER = replace(
    BROKER, name="other", receiver_id=ReceiverId("rcv_2"), token_digest=digest_of("other")
)


@pytest.fixture
def file(tmp_path: Path) -> ReceiverFile:
    return ReceiverFile(tmp_path / "data")


def test_of_no_file_there_are_no_receivers(file: ReceiverFile) -> None:
    assert file.listed() == ()


def test_a_receiver_is_found_by_its_token_and_its_id(file: ReceiverFile, tmp_path: Path) -> None:
    file.add(BROKER)

    assert file.showing("geheim") == file.find(BROKER.receiver_id) == BROKER
    for token in ("", "Geheim", BROKER.token_digest, "gehéim"):
        with pytest.raises(ReceiverTokenRefusedError):
            file.showing(token)
    assert "geheim" not in (tmp_path / "data" / NAME).read_text()


def test_a_removed_receivers_token_opens_nothing(file: ReceiverFile) -> None:
    file.add(BROKER)
    file.add(OTHER)

    assert file.remove("broker") == BROKER
    with pytest.raises(ReceiverTokenRefusedError):
        file.showing("geheim")
    with pytest.raises(ReceiverUnknownError):
        file.find(BROKER.receiver_id)
    with pytest.raises(ReceiverUnknownError):
        file.remove("broker")
    assert [one.name for one in file.listed()] == ["other"]


def test_a_name_is_given_once_and_to_sixteen_at_most(file: ReceiverFile) -> None:
    for number in range(16):
        file.add(replace(BROKER, name=f"r{number:02d}"))

    for name in ("r00", "r16"):
        with pytest.raises(ReceiverRefusedError):
            file.add(replace(BROKER, name=name))
    assert len(file.listed()) == 16


def test_how_a_receiver_is_signed_to_stands_in_the_file(file: ReceiverFile, tmp_path: Path) -> None:
    file.add(replace(BROKER, algorithm=TokenAlgorithm.RS256))
    path = tmp_path / "data" / NAME
    whole = path.read_text()
    assert '"algorithm":"RS256"' in whole
    assert file.find(BROKER.receiver_id).algorithm is TokenAlgorithm.RS256

    path.write_text(whole.replace('"algorithm":"RS256",', ""))  # As before there was a choice.
    assert file.find(BROKER.receiver_id).algorithm is TokenAlgorithm.EDDSA
    for other in ("none", "HS256", "rs256", ""):
        path.write_text(whole.replace("RS256", other))
        with pytest.raises(ReceiversUnreadableError):
            file.showing("geheim")


def test_a_file_that_is_open_to_others_or_no_file_of_receivers_is_refused(
    file: ReceiverFile, tmp_path: Path
) -> None:
    file.add(BROKER)
    path = tmp_path / "data" / NAME
    for told in (b'[{"name":"x"}]', b'[{"name":"\xff"}]'):
        path.write_bytes(told)
        with pytest.raises(MalformedError):
            file.listed()
    path.chmod(0o644)
    with pytest.raises(FileUnsafeError):
        file.listed()


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_stranger_who_shows_a_token_learns_nothing_of_a_broken_file(
    file: ReceiverFile, tmp_path: Path, mode: int
) -> None:
    file.add(BROKER)
    path = tmp_path / "data" / NAME
    path.write_text('[{"name":"x"}]')
    path.chmod(mode)

    with pytest.raises(ReceiversUnreadableError) as refused:
        file.showing("geheim")
    assert NAME not in str(refused.value)
