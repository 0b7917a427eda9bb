"""Policy files: what cannot be read, or is more than a policy may be, is refused in words."""

from pathlib import Path

import pytest

from twinlock.adapters.policies import SCHEMA_FILE, load, shipped, text_at
from twinlock.domain.policy.annotations import PolicyFault, PolicyRefusedError
from twinlock.domain.policy.statutes import TEXT_BYTES_MOST
from twinlock.domain.policy.vocabulary import schema_text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.cedar"
    path.write_text(shipped("default"), "utf-8")
    return path


def test_a_file_of_one_s_own_is_read_beside_the_schema_of_this_version(file: Path) -> None:
    file.with_name(SCHEMA_FILE).write_text(schema_text(), "utf-8")

    assert text_at(file) == shipped("default")


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        (b"\xff", PolicyFault.UNREADABLE),
        (b"entity A;", PolicyFault.SCHEMA_DIFFERS),
        (b" " * (TEXT_BYTES_MOST + 1), PolicyFault.TOO_LARGE),
        (b"entity A { a: " + b"{" * 100_000, PolicyFault.TOO_LARGE),
    ],
    ids=["no text", "another", "long", "deep"],
)
def test_a_policy_beside_a_schema_that_is_none_is_refused(
    file: Path, schema: bytes, fault: PolicyFault
) -> None:
    file.with_name(SCHEMA_FILE).write_bytes(schema)
    with pytest.raises(PolicyRefusedError) as refused:
        load(str(file))

    assert refused.value.fault is fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"\xff", PolicyFault.UNREADABLE),
        (b" " * (TEXT_BYTES_MOST + 1), PolicyFault.TOO_LARGE),
        (b"(" * TEXT_BYTES_MOST, PolicyFault.TOO_LARGE),
    ],
    ids=["no text", "long", "deep"],
)
def test_a_file_that_is_no_policy_is_refused(file: Path, text: bytes, fault: PolicyFault) -> None:
    file.write_bytes(text)
    with pytest.raises(PolicyRefusedError) as refused:
        load(str(file))

    assert refused.value.fault is fault


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyRefusedError, match="cannot be read"):
        load(str(tmp_path / "none.cedar"))


def test_a_file_that_cannot_be_read_is_told_in_words(file: Path) -> None:
    file.with_name("folder.cedar").mkdir()
    file.with_name("bytes.cedar").write_bytes(b"\xff")
    told = {
        "none.cedar": "cannot be read: No such file or directory",
        "folder.cedar": "cannot be read: Is a directory",
        "bytes.cedar": "is no text in UTF-8",
    }
    for name, says in told.items():
        with pytest.raises(PolicyRefusedError) as refused:
            load(str(file.with_name(name)))

        assert refused.value.says == f"{file.with_name(name)} {says}"
