"""Change modules one expression at a time, and see whether anything notices.

usage: python tools/mutate.py MODULE… (those of `tests/mutants.toml` through ``make mutants``)

1. A copy of the repository is made in ``mutants``; mutmut's library writes into its modules, beside
   each function, every mutant of it.
2. mypy reads the copy: what it refuses would never have been committed. Nor is tried what
   changes the text of a message alone, or what is beyond reach (``tools/survivors.py``).
3. One pytest tries the others (``tools/mutant_runs.py``) and writes down what became of each.

What is beside each module then is as mutmut leaves it, so that ``mutmut show NAME`` works;
``tools/survivors.py`` holds it against the list.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
from mutmut.mutation.data import MutantLineSpans, SourceFileMutationData
from mutmut.mutation.file_mutation import mutate_file_contents
from survivors import CODES, MADE, ROOT, Outcome, file_of, mutants_of

COPIED = ("src", "tests", "tools", "docs", "pyproject.toml")
# What runs the mutants: units and promises in one process, without a database or a browser.
TESTS = (
    "tests/unit/domain",
    "tests/unit/proofs",
    "tests/property",
    "tests/vectors",
    "tests/attacks/test_address_comes_again.py",
    "tests/attacks/test_burnt_word.py",
    "tests/attacks/test_extortionist_silence.py",
    "tests/attacks/test_extortionist_stops.py",
    "tests/attacks/test_extortionist_vetoes.py",
    "tests/attacks/test_last_channel_is_the_thiefs.py",
    "tests/attacks/test_leaked_password.py",
    "tests/attacks/test_lifted_freeze.py",
    "tests/attacks/test_long_proposals.py",
    "tests/attacks/test_mailbox_alone.py",
    "tests/attacks/test_not_me.py",
    "tests/attacks/test_only_address_is_the_thiefs.py",
    "tests/attacks/test_own_silence.py",
    "tests/attacks/test_password_is_no_root.py",
    "tests/attacks/test_removed_mailbox.py",
    "tests/attacks/test_saved_code.py",
    "tests/attacks/test_silenced_vetoes.py",
    "tests/attacks/test_stolen_api_key.py",
    "tests/attacks/test_stolen_key_and_phone.py",
    "tests/attacks/test_stray_signatures.py",
    "tests/attacks/test_suspended_password.py",
    "tests/attacks/test_untold_waits.py",
)
# Fuzzing with hundreds of examples whatever the profile: minutes for each mutant that lives.
TESTS_LEFT_OUT = (
    "no_flipped_byte",
    "no_value_in_any_place",
    "no_committed_value",
    "no_leaf_claims",
)
PLUGINS_LEFT_OUT = ("randomly", "cacheprovider", "xdist", "schemathesis")


class Complaint(msgspec.Struct, frozen=True):
    """One line of mypy's output in JSON."""

    file: str
    line: int
    severity: str


def make(modules: list[str]) -> int:
    """Write the copy with its mutants; return their number."""
    shutil.rmtree(MADE, ignore_errors=True)
    MADE.mkdir()
    for name in COPIED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, MADE / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(path, MADE / name)
    return sum(map(_mutate, modules))


def _mutate(module: str) -> int:
    path = file_of(module, Path())  # As mutmut names it: from the folder that holds ``mutants``.
    mutated = mutate_file_contents(str(path), path.read_text(encoding="utf-8"))
    (MADE / path).write_text(mutated.code, encoding="utf-8")
    data = SourceFileMutationData(path=path)
    data.exit_code_by_key = {f"{module}.{name}": None for name in mutated.mutant_names}
    data.hash_by_function_name = dict(mutated.hash_by_function_name)
    data.save()
    MutantLineSpans(path=path, span_by_function_name=mutated.line_span_by_function_name).save()
    return len(mutated.mutant_names)


def complaints() -> Iterator[Complaint]:
    """Give what mypy finds wrong in the copy."""
    done = subprocess.run(  # noqa: S603 - our own mypy on our own files
        [
            *(sys.executable, "-m", "mypy", "--output=json", "--cache-dir=.mypy_cache"),
            *("--config-file=tools/mutants_mypy.ini", "src/twinlock/domain", "src/twinlock/proofs"),
        ],
        cwd=MADE,
        capture_output=True,
        check=False,
        text=True,
    )
    for line in filter(None, done.stdout.splitlines()):
        complaint = msgspec.json.decode(line, type=Complaint)
        if complaint.severity == "error":
            yield complaint


def refuse(modules: list[str]) -> None:
    """Write down which mutants need no test; what mypy finds elsewhere is a fault of ours."""
    lines: dict[str, list[int]] = defaultdict(list)
    for complaint in complaints():
        lines[complaint.file].append(complaint.line)
    for module in modules:
        path = file_of(module, Path())
        data = SourceFileMutationData(path=path)
        data.load()
        for one in mutants_of(module):
            if one.harmless:
                data.exit_code_by_key[one.name] = CODES[Outcome.HARMLESS]
        index = MutantLineSpans.load(path)
        spans = {} if index is None else index.span_by_function_name
        for line in lines.pop(str(path), ()):
            (name,) = (one for one, span in spans.items() if span.start <= line <= span.end)
            data.exit_code_by_key[f"{module}.{name}"] = CODES[Outcome.TYPES]
        data.save()
    if lines:
        message = f"mypy finds fault with what no mutant changed: {sorted(lines)}"
        raise SystemExit(message)


def attempt(modules: list[str]) -> int:
    """Let pytest try what is left; return its exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=0", "--rootdir=."]
    command += ["--assert=plain", "--tb=native"]  # Nobody reads why a mutant died.
    for plugin in PLUGINS_LEFT_OUT:
        command += ["-p", f"no:{plugin}"]
    command += ["-p", "mutant_runs", f"--mutants={','.join(modules)}", *TESTS]
    command += ["-k", f"not ({' or '.join(TESTS_LEFT_OUT)})"]
    paths = ("src", "tools", "tests", os.environ.get("PYTHONPATH", ""))
    done = subprocess.run(  # noqa: S603 - our own pytest on our own files
        command,
        cwd=MADE,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_PROFILE": "mutants",
        },
    )
    return done.returncode


def main(modules: list[str]) -> int:
    """Do all three; return 0 when every mutant was tried."""
    os.chdir(ROOT)
    print(f"{make(modules)} mutants of {len(modules)} modules", flush=True)
    refuse(modules)
    return attempt(modules)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
