"""Files that the service reads while it decides: regular ones, and it waits for no other."""

import os
from pathlib import Path

import pytest

from twinlock.adapters.regular_files import open_regular


def test_a_file_is_read_by_its_name_or_by_a_link_to_it(tmp_path: Path) -> None:
    path, link = tmp_path / "list", tmp_path / "link"
    path.write_bytes(b"named")
    link.symlink_to(path)

    for named in (path, link):
        with open_regular(named) as file:
            assert file.read() == b"named"


@pytest.mark.parametrize("what", ["pipe", "directory", "device", "nothing"])
def test_what_is_no_file_is_an_error_at_once(tmp_path: Path, what: str) -> None:
    path = Path("/dev/zero") if what == "device" else tmp_path / what
    match what:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            pass

    with pytest.raises(OSError, match=str(path)):
        open_regular(path)
