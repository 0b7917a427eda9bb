"""Every module is used, and the rows hold for programs as they start."""

import subprocess
import sys
from functools import cache

import grimp
import pytest
from tidy.repository import environment, module_name, python_files

from twinlock.cli.main import COMMANDS

# Where people and programs come in; everything else is reached from one of these.
ENTRIES = {
    "twinlock",
    "twinlock.__main__",
    "twinlock.cli.main",
    "twinlock.client",
    "twinlock.signer",
    # A command's module is named in a table and loaded when it is asked for.
    *(f"twinlock.cli.{place.partition(':')[0]}" for place in COMMANDS.values()),
}
MODULES = sorted(module_name(path) for path in python_files("src"))


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("twinlock", cache_dir=None)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ENTRIES])
def test_every_module_is_used_by_another(name: str) -> None:
    users = graph().find_modules_that_directly_import(name)
    children = graph().find_children(name)

    assert users or children, f"nothing imports {name}"


def test_every_entry_exists() -> None:
    assert set(MODULES) >= ENTRIES


def loaded_by(module: str) -> set[str]:
    """Return what of ours a fresh process holds after importing ``module`` and nothing else."""
    program = f"import sys, {module}; print(*(m for m in sys.modules if m.startswith('twinlock')))"
    out = subprocess.run(  # noqa: S603 - our own modules
        [sys.executable, "-c", program],
        capture_output=True,
        check=True,
        env=environment(),
        text=True,
    ).stdout
    return set(out.split())


def rows_of(modules: set[str]) -> set[str]:
    return {module.split(".")[1] for module in modules if "." in module}


@pytest.mark.parametrize(
    ("module", "rows"),
    [
        ("twinlock.signer", {"signer", "proofs", "domain"}),
        ("twinlock.client", {"client", "domain"}),
        ("twinlock.witness.app", {"witness", "proofs", "domain"}),
        ("twinlock.cli.witness", {"cli", "witness", "proofs", "domain"}),
        ("twinlock.cli.verify", {"cli", "proofs", "domain"}),
    ],
)
def test_what_checks_us_loads_nothing_that_it_checks(module: str, rows: set[str]) -> None:
    assert rows_of(loaded_by(module)) <= rows


def test_what_serves_never_loads_the_range() -> None:
    assert "range" not in rows_of(loaded_by("twinlock.cli.serve"))
