"""Policy files: what cannot be read, or is more than a policy may be, is refused in words."""

import os
from pathlib import Path

import pytest

from twinlock.adapters.policies import SCHEMA_FILE, compile_kept, load, shipped, text_at
from twinlock.domain.canonical import encode
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


def test_a_pipe_to_which_nobody_writes_is_refused_and_not_waited_for(file: Path) -> None:
    pipe = file.with_name("pipe.cedar")
    os.mkfifo(pipe)
    with pytest.raises(PolicyRefusedError, match="no regular file"):
        load(str(pipe))


def test_what_only_the_second_engine_cannot_read_is_refused_in_words(file: Path) -> None:
    """Its JSON nests twice for each operator, and it reads 128 deep."""
    joined = " && ".join(f"context.value_cents > {500 + number}" for number in range(62))
    file.write_text(
        f'{shipped("default")}\n@id("mine.deep") @outcome("deny") @reason("platform_rule")\n'
        'forbid (principal, action == Action::"withdrawal.crypto", resource)\n'
        f"when {{ {joined} }};\n"
    )
    with pytest.raises(PolicyRefusedError, match="second engine") as refused:
        load(str(file))

    assert refused.value.fault is PolicyFault.TOO_LARGE


def test_a_text_that_names_no_profile_is_none_that_was_kept() -> None:
    text = encode({"profile": 7, "ranges": {}, "schema": "", "statutes": {}})
    with pytest.raises(PolicyRefusedError, match="not the text of a policy"):
        compile_kept(text)


def test_what_the_table_of_policies_does_not_take_is_refused_before(file: Path) -> None:
    rules = "".join(
        f'@id("mine.{number}") @outcome("deny") @reason("platform_rule")\n'
        'forbid (principal, action == Action::"withdrawal.crypto", resource)\n'
        f"when {{ context.value_cents > {number + 1} }};\n"
        for number in range(200)
    )
    file.write_text(f"{shipped('default')}\n{rules}")
    with pytest.raises(PolicyRefusedError, match="65535 bytes") as refused:
        load(str(file))

    assert refused.value.fault is PolicyFault.TOO_LARGE
