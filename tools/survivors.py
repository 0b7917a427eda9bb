"""Hold what mutation testing leaves alive to its written reasons.

usage: python tools/survivors.py modules [MODULE…]    print what the list holds to itself
       python tools/survivors.py check [MODULE…]      after mutmut: fail where a reason is missing
       python tools/survivors.py list [MODULE…]       print what has none yet, for the list
       python tools/survivors.py table [MODULE…]      print the counts, as in docs/mutants.md

Beside each module that was changed lie two files as mutmut 3.8 writes them: ``.meta`` with the exit
code of each mutant, ``.spans`` with the lines at which it stands. A survivor is known by its
function and the lines that it changes, not by mutmut's running number, which other changes move.
"""

import ast
import difflib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path
from typing import Final

import msgspec

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "mutants.toml"
MADE = ROOT / "mutants"
ROWS = ("domain", "proofs")
# Our own functions that raise, with their message as the second argument.
RAISING = frozenset({"invariant", "present", "refuse", "_refuse"})


class Outcome(StrEnum):
    """What became of one mutant."""

    TESTS = "killed by a test"
    TYPES = "refused by mypy"
    TIME = "out of time"
    HARMLESS = "harmless"
    SURVIVED = "survived"
    UNTESTED = "run by no test"
    UNCLEAR = "unclear"


# Codes of mutmut's (its stats.py); any other code, and none, is unclear and fails the check.
OUTCOMES: Final = {
    0: Outcome.SURVIVED,
    1: Outcome.TESTS,
    33: Outcome.UNTESTED,
    34: Outcome.HARMLESS,
    36: Outcome.TIME,
    37: Outcome.TYPES,
}
CODES: Final = {outcome: code for code, outcome in OUTCOMES.items()}
ALIVE = frozenset({Outcome.SURVIVED, Outcome.UNTESTED})
DEAD = frozenset({Outcome.TESTS, Outcome.TYPES, Outcome.TIME})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a mutant changes: lines of one function, without their indentation."""

    function: str
    was: str
    becomes: str


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a survivor may live. ``times``: so many mutants change the same text in one function."""

    function: str
    was: str
    becomes: str
    reason: str
    times: int = 1

    @property
    def change(self) -> Change:
        """Return what it speaks of."""
        return Change(function=self.function, was=self.was, becomes=self.becomes)


class Listed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The list: the modules that are held to it, and the survivors with their reasons."""

    modules: tuple[str, ...]
    survivors: tuple[Reason, ...] = ()


class Meta(msgspec.Struct, frozen=True):
    """mutmut's results for one module; its other fields are of no use here."""

    exit_code_by_key: dict[str, int | None]


class Spans(msgspec.Struct, frozen=True):
    """First and last line of each function that mutmut wrote into its copy of a module."""

    version: int
    spans: dict[str, tuple[int, int]]


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One mutant with its outcome; ``harmless`` where the form of its change says so."""

    name: str
    outcome: Outcome
    change: Change
    harmless: bool


def listed() -> Listed:
    """Return the list as it stands in the repository."""
    return msgspec.toml.decode(LIST.read_bytes(), type=Listed)


def modules_of(root: Path = ROOT) -> list[str]:
    """Return every module of the rows that are mutated which defines a function."""
    paths = (path for row in ROWS for path in (root / "src" / "twinlock" / row).rglob("*.py"))
    return sorted(
        ".".join(path.relative_to(root / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in paths
        if any(isinstance(one, ast.FunctionDef) for one in ast.walk(ast.parse(path.read_bytes())))
    )


def file_of(module: str, root: Path) -> Path:
    """Return the file of a module below ``root``."""
    path = root / "src" / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def function_of(name: str) -> str:
    """Return the function of a mutant: ``a.b.xǁCǁf__mutmut_3`` is of ``a.b.C.f``."""
    module, _, mangled = name.partition("__mutmut_")[0].rpartition(".")
    if mangled.startswith("x_"):
        return f"{module}.{mangled.removeprefix('x_')}"
    return f"{module}.{mangled.removeprefix('xǁ').replace('ǁ', '.')}"


def mutants_of(module: str, made: Path = MADE) -> list[Mutant]:
    """Return the mutants of one module, or nothing where it has no function to change."""
    path = file_of(module, made)
    meta_path, spans_path = (path.with_name(f"{path.name}.{end}") for end in ("meta", "spans"))
    if not meta_path.exists():
        message = f"no mutants were made of {module}"
        raise FileNotFoundError(message)
    meta = msgspec.json.decode(meta_path.read_bytes(), type=Meta)
    spans = msgspec.json.decode(spans_path.read_bytes(), type=Spans).spans
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        _mutant(name, code, spans=spans, lines=lines)
        for name, code in meta.exit_code_by_key.items()
    ]


def _mutant(
    name: str, code: int | None, *, spans: dict[str, tuple[int, int]], lines: list[str]
) -> Mutant:
    mangled = name.rpartition(".")[2]
    original = f"{mangled.partition('__mutmut_')[0]}__mutmut_orig"
    was, becomes = (_source(one, spans=spans, lines=lines) for one in (original, mangled))
    return Mutant(
        name=name,
        outcome=Outcome.UNCLEAR if code is None else OUTCOMES.get(code, Outcome.UNCLEAR),
        change=change(function_of(name), was, becomes),
        harmless=any(rule(was, becomes) for rule in _HARMLESS),
    )


def _source(name: str, *, spans: dict[str, tuple[int, int]], lines: list[str]) -> str:
    """Return a function as mutmut wrote it, under one name, from the margin."""
    first, last = spans[name]
    block = lines[first - 1 : last]
    start = next(one for one in block if re.match(r"\s*(?:async )?def ", one))
    margin = len(start) - len(start.lstrip())
    text = "\n".join(line[margin:] if not line[:margin].strip() else line for line in block)
    return text.replace(name, "function", 1)


def change(function: str, was: str, becomes: str) -> Change:
    """Return the lines that differ."""
    old, new = was.splitlines(), becomes.splitlines()
    gone: list[str] = []
    came: list[str] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            gone += old[a:b]
            came += new[c:d]
    return Change(function=function, was=_stripped(gone), becomes=_stripped(came))


def _stripped(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines)


def only_a_message(was: str, becomes: str) -> bool:
    """Say whether two functions differ in nothing but the text of one exception's message.

    A message is a text with a space in it, since a code has none, that stands in the call of a
    ``raise`` or as the second argument of one of ``RAISING``. What an f-string puts into it is text
    as well.
    """
    differences = list(_differences(ast.parse(was), ast.parse(becomes), in_message=False))
    return bool(differences) and all(differences)


def _differences(old: ast.AST, new: ast.AST, *, in_message: bool) -> Iterator[bool]:
    """Give True for each difference in a message's text, and False for any other."""
    if type(old) is not type(new):
        yield in_message and _is_text(old) and _is_text(new)
        return
    if isinstance(old, ast.Constant) and isinstance(new, ast.Constant):
        if (old.value, type(old.value)) != (new.value, type(new.value)):
            yield in_message and _is_text(old) and _is_text(new)
        return
    if in_message and isinstance(old, ast.JoinedStr) and isinstance(new, ast.JoinedStr):
        if ast.dump(old) != ast.dump(new):
            yield True
        return
    for field in old._fields:
        for number, (a, b) in enumerate(
            _pairs(getattr(old, field, None), getattr(new, field, None))
        ):
            inside = in_message or _leads_to_message(old, field, number)
            if isinstance(a, ast.AST) and isinstance(b, ast.AST):
                yield from _differences(a, b, in_message=inside)
            elif a != b:
                yield False


def _pairs(old: object, new: object) -> Iterator[tuple[object, object]]:
    if isinstance(old, list) and isinstance(new, list):
        yield from zip_longest(old, new)
    else:
        yield old, new


def _leads_to_message(node: ast.AST, field: str, number: int) -> bool:
    if isinstance(node, ast.Raise):
        return field == "exc"
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
    return called in RAISING and field == "args" and number == 1


def _is_text(node: ast.AST) -> bool:
    """Say whether this is a sentence, or what stands in a sentence's place."""
    if isinstance(node, ast.JoinedStr):
        return True
    if not isinstance(node, ast.Constant):
        return False
    return node.value is None or (isinstance(node.value, str) and " " in node.value)


def only_beyond_reach(was: str, becomes: str) -> bool:
    """Say whether two functions differ in nothing but what mypy proves to be beyond reach."""
    old, new = ast.parse(was), ast.parse(becomes)
    same = ast.dump(_Reached().visit(old)) == ast.dump(_Reached().visit(new))
    return same and ast.dump(ast.parse(was)) != ast.dump(ast.parse(becomes))


class _Reached(ast.NodeTransformer):
    """Takes every call of ``assert_never`` away, and the cases that hold nothing else."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        called = ast.unparse(node.value.func) if isinstance(node.value, ast.Call) else ""
        return None if called == "assert_never" else node

    def visit_match_case(self, node: ast.match_case) -> ast.AST | None:
        self.generic_visit(node)
        return node if node.body else None


def only_said_otherwise(was: str, becomes: str) -> bool:
    """Say whether two functions differ in nothing but how they name what Python means anyway.

    Big-endian is what ``to_bytes`` and ``from_bytes`` do unless told, UTF-8 what ``encode`` and
    ``decode`` do, and a codec has its name in small letters and in capitals.
    """
    old, new = ast.parse(was), ast.parse(becomes)
    same = ast.dump(_Meant().visit(old)) == ast.dump(_Meant().visit(new))
    return same and ast.dump(ast.parse(was)) != ast.dump(ast.parse(becomes))


_DEFAULTS = {"to_bytes": (1, "big"), "from_bytes": (1, "big"), "encode": (0, "utf-8")}
_DEFAULTS["decode"] = _DEFAULTS["encode"]


class _Meant(ast.NodeTransformer):
    """Takes away what Python means by itself."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name not in _DEFAULTS:
            return node
        place, meant = _DEFAULTS[name]
        said = node.args[place] if len(node.args) > place else None
        if isinstance(said, ast.Constant) and isinstance(said.value, str):
            said.value = said.value if meant == "big" else said.value.lower()
            if said.value == meant and len(node.args) == place + 1:
                node.args.pop()
        return node


_HARMLESS = (only_a_message, only_beyond_reach, only_said_otherwise)


def survivors(mutants: list[Mutant]) -> list[Mutant]:
    """Return those that live and need a reason."""
    return [one for one in mutants if one.outcome not in DEAD and not one.harmless]


def faults(mutants: list[Mutant], reasons: tuple[Reason, ...]) -> list[str]:
    """Return what is wrong with the reasons, one sentence each."""
    alive = Counter(one.change for one in survivors(mutants) if one.outcome in ALIVE)
    counts = Counter[Change]()
    for reason in reasons:
        counts[reason.change] += reason.times
    wrong = [
        f"{one.name} is {one.outcome}" for one in survivors(mutants) if one.outcome not in ALIVE
    ]
    wrong += [_told("no reason for", change) for change in (alive - counts).elements()]
    wrong += [_told("no survivor for", change) for change in (counts - alive).elements()]
    return wrong


def _told(what: str, change: Change) -> str:
    lines = [f"- {line}" for line in change.was.splitlines()]
    lines += [f"+ {line}" for line in change.becomes.splitlines()]
    return "\n    ".join([f"{what} {change.function}", *lines])


def misplaced(entries: Listed) -> list[str]:
    """Return the reasons that speak of a module which the list does not hold to anything."""
    return [
        f"{one.function} is of no module in the list"
        for one in entries.survivors
        if module_of(one.function, entries.modules) is None
    ]


def module_of(function: str, modules: tuple[str, ...]) -> str | None:
    """Return the module of a function: the longest that its name begins with."""
    return max((one for one in modules if function.startswith(f"{one}.")), key=len, default=None)


def chosen(entries: Listed, asked: list[str]) -> list[str]:
    """Return the modules to look at: those asked for, or all that the list names."""
    strange = sorted(set(asked) - set(entries.modules))
    if strange:
        message = f"not in tests/mutants.toml: {', '.join(strange)}"
        raise SystemExit(message)
    return asked or list(entries.modules)


def check(entries: Listed, modules: list[str]) -> int:
    """Print what is wrong; return 1 when something is."""
    wrong = misplaced(entries)
    for module in modules:
        reasons = tuple(
            one for one in entries.survivors if module_of(one.function, entries.modules) == module
        )
        wrong += faults(mutants_of(module), reasons)
    for fault in wrong:
        print(f"Mutants: {fault}")
    left = sorted(set(modules_of()) - set(entries.modules))
    if left:
        print("Not held to the list so far:", *left, sep="\n  ")
    return 1 if wrong else 0


def to_list(entries: Listed, modules: list[str]) -> Iterator[str]:
    """Give the entries that are missing, for a person to write the reasons."""
    for module in modules:
        counted = Counter(one.change for one in survivors(mutants_of(module)))
        for one in entries.survivors:
            counted[one.change] -= one.times
        for change, times in counted.items():
            if times > 0:
                yield entry(change, times)


def entry(change: Change, times: int) -> str:
    """Return one entry of the list, its reason still empty."""
    lines = [
        "[[survivors]]",
        f'function = "{change.function}"',
        f"was = {_quoted(change.was)}",
        f"becomes = {_quoted(change.becomes)}",
    ]
    if times > 1:
        lines.append(f"times = {times}")
    return "\n".join([*lines, 'reason = ""', ""])


def _quoted(text: str) -> str:
    """Return a text as TOML writes it: literally, on several lines where it has several."""
    if "\n" in text:
        return f"'''\n{text}'''"
    return f"'{text}'" if "'" not in text else f"'''{text}'''"


def table(modules: list[str], made: Path = MADE) -> Iterator[str]:
    """Give the counts of each module and of all, as rows of Markdown."""
    everything: list[Mutant] = []
    for module in modules:
        mutants = mutants_of(module, made)
        everything += mutants
        yield _row(f"`{module.removeprefix('twinlock.')}`", mutants)
    yield _row("all", everything)


def _row(name: str, mutants: list[Mutant]) -> str:
    counted = Counter(one.outcome for one in mutants)
    living = [one for one in mutants if one.outcome not in DEAD]
    harmless = sum(one.harmless for one in living)
    dead = (counted[Outcome.TESTS], counted[Outcome.TYPES], counted[Outcome.TIME])
    cells = (name, len(mutants), *dead, harmless, len(living) - harmless)
    return f"| {' | '.join(map(str, cells))} |"


def main(command: str, asked: list[str]) -> int:
    """Do what is asked; return the exit code."""
    entries = listed()
    modules = chosen(entries, asked)
    match command:
        case "modules":
            print(*modules, sep="\n")
        case "list":
            print(*to_list(entries, modules), sep="\n")
        case "table":
            print(*table(modules), sep="\n")
        case "check":
            return check(entries, modules)
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:]))
