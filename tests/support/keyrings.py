"""Keyrings in files, as a test finds them: one file of a role, and how old it is."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from twinlock.domain import canonical
from twinlock.domain.keys import Role

AGES = ("created_at", "used_from")


def the_file(directory: Path, role: Role, *, number: int = 0) -> Path:
    """Return the file of a role's key, the oldest first."""
    paths = directory.glob(f"{role}-*.json")
    return sorted(paths, key=lambda path: str(json.loads(path.read_bytes())["created_at"]))[number]


def age(directory: Path, role: Role, *, by: timedelta) -> None:
    """Let all keys of a role be older than they are, so that no test waits for a day to pass."""
    for path in directory.glob(f"{role}-*.json"):
        content = json.loads(path.read_bytes())
        for name in AGES:
            if name in content:
                content[name] = datetime.fromisoformat(content[name]) - by
        path.write_bytes(canonical.encode(content))
