"""Secrets that are named on the command line: whose they are, and who else may read them."""

import os
from pathlib import Path

import pytest

from twinlock.cli.files import check_secret, read_secret
from twinlock.domain.errors import FileUnsafeError

PATH, OURS, ROOT, OTHER = Path("key.pem"), 1000, 0, 1001
GROUPS = (1000, 2000)


def of(owner: int, group: int, mode: int) -> os.stat_result:
    return os.stat_result((0o100000 | mode, 1, 1, 1, owner, group, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("owner", "group", "mode"),
    [
        (OURS, 1000, 0o600),
        (OURS, 1000, 0o400),
        (ROOT, 0, 0o400),
        (ROOT, 2000, 0o440),
        (ROOT, 2000, 0o640),
    ],
)
def test_a_secret_is_the_programs_own_or_handed_to_it_by_root(
    owner: int, group: int, mode: int
) -> None:
    check_secret(PATH, of(owner, group, mode), user=OURS, groups=GROUPS)


@pytest.mark.parametrize(
    ("owner", "group", "mode"),
    [
        (OTHER, 1000, 0o600),
        (OURS, 1000, 0o440),
        (OURS, 1000, 0o604),
        (ROOT, 3000, 0o440),
        (ROOT, 2000, 0o460),
        (ROOT, 2000, 0o450),
        (ROOT, 2000, 0o444),
    ],
)
def test_a_secret_that_others_may_read_or_change_is_refused(
    owner: int, group: int, mode: int
) -> None:
    with pytest.raises(FileUnsafeError):
        check_secret(PATH, of(owner, group, mode), user=OURS, groups=GROUPS)


def test_roots_own_program_is_handed_nothing_by_a_group() -> None:
    with pytest.raises(FileUnsafeError):
        check_secret(PATH, of(ROOT, 0, 0o440), user=ROOT, groups=(0,))


def test_a_secret_is_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"secret")
    (tmp_path / "key").chmod(0o400)
    (tmp_path / "link").symlink_to("key")

    assert read_secret(tmp_path / "link", 6) == b"secret"
