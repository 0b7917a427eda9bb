"""What mutation testing leaves alive has a written reason, and no reason outlives its survivor."""

import json
import re
from pathlib import Path

import msgspec
import pytest
import survivors
from survivors import Change, Listed, Outcome, Reason
from tidy.repository import ROOT

# What mutmut 3.8.1 made of a module of four functions, two of them hardly tested.
SAMPLE = ROOT / "tests" / "tidy" / "mutmut_sample.json"
TILL = "shop.till"
NOT_BELOW = Reason(
    function="shop.till.change",
    was="if paid < price:",
    becomes="if paid <= price:",
    reason="the sample's tests never pay the exact price",
)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Lay mutmut's files out as it does."""
    folder = tmp_path / "src" / "shop"
    folder.mkdir(parents=True)
    for name, text in json.loads(SAMPLE.read_text(encoding="utf-8")).items():
        (folder / name).write_text(text, encoding="utf-8")
    return tmp_path


def reasons(made: Path) -> tuple[Reason, ...]:
    """Give a reason for each survivor that needs one."""
    counted: dict[Change, int] = {}
    for one in survivors.survivors(survivors.mutants_of(TILL, made)):
        if one.outcome in survivors.ALIVE:
            counted[one.change] = counted.get(one.change, 0) + 1
    return tuple(
        Reason(
            function=change.function,
            was=change.was,
            becomes=change.becomes,
            reason="a sample",
            times=times,
        )
        for change, times in counted.items()
    )


def test_the_outcomes_are_those_that_mutmut_tells(made: Path) -> None:
    told = {one.name.rpartition(".")[2]: one.outcome for one in survivors.mutants_of(TILL, made)}

    assert told["x_change__mutmut_4"] is Outcome.TESTS
    assert told["x_label__mutmut_1"] is Outcome.TYPES
    assert told["x_change__mutmut_1"] is Outcome.SURVIVED
    assert told["xǁTillǁuntested__mutmut_1"] is Outcome.UNTESTED


def test_a_survivor_is_known_by_its_function_and_the_lines_it_changes(made: Path) -> None:
    (one,) = [
        one for one in survivors.mutants_of(TILL, made) if one.name.endswith("x_change__mutmut_1")
    ]

    assert one.change == NOT_BELOW.change


def test_the_function_of_a_method_is_named_with_its_class(made: Path) -> None:
    functions = {one.change.function for one in survivors.mutants_of(TILL, made)}

    assert functions == {
        "shop.till.invariant",
        "shop.till.change",
        "shop.till.label",
        "shop.till.Till.take",
        "shop.till.Till.untested",
    }


def test_a_survivor_without_a_reason_is_a_fault(made: Path) -> None:
    told = survivors.faults(survivors.mutants_of(TILL, made), ())

    assert any(
        "no reason for shop.till.change" in one and "+ if paid <= price:" in one for one in told
    )


def test_a_mutant_that_no_test_runs_needs_a_reason_as_well(made: Path) -> None:
    every = survivors.mutants_of(TILL, made)
    given = [one for one in reasons(made) if one.function != "shop.till.Till.untested"]

    told = survivors.faults(every, tuple(given))
    assert len(told) == 2
    assert all("no reason for shop.till.Till.untested" in one for one in told)


def test_a_reason_for_each_survivor_is_enough(made: Path) -> None:
    assert survivors.faults(survivors.mutants_of(TILL, made), reasons(made)) == []


def test_a_reason_without_a_survivor_is_a_fault(made: Path) -> None:
    gone = msgspec.structs.replace(NOT_BELOW, becomes="if paid == price:")

    (told,) = survivors.faults(survivors.mutants_of(TILL, made), (*reasons(made), gone))

    assert "no survivor for shop.till.change" in told


def test_a_reason_counts_for_as_many_mutants_as_it_says(made: Path) -> None:
    given = reasons(made)
    more = tuple(
        msgspec.structs.replace(one, times=2) if one.change == NOT_BELOW.change else one
        for one in given
    )

    (told,) = survivors.faults(survivors.mutants_of(TILL, made), more)

    assert "no survivor for shop.till.change" in told


def test_an_outcome_that_mutmut_cannot_tell_is_a_fault(made: Path) -> None:
    path = made / "src" / "shop" / "till.py.meta"
    meta = json.loads(path.read_text(encoding="utf-8"))
    meta["exit_code_by_key"]["shop.till.x_change__mutmut_4"] = None
    meta["exit_code_by_key"]["shop.till.x_label__mutmut_10"] = -11
    path.write_text(json.dumps(meta), encoding="utf-8")

    assert survivors.faults(survivors.mutants_of(TILL, made), reasons(made)) == [
        "shop.till.x_change__mutmut_4 is unclear",
        "shop.till.x_label__mutmut_10 is unclear",
    ]


def test_a_module_without_mutants_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no mutants were made"):
        survivors.mutants_of(TILL, tmp_path)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('raise E("it is late")', 'raise E("IT IS LATE")'),
        ('raise E("it is late") from None', "raise E(None) from None"),
        ('raise E(f"{day} is late")', "raise E(None)"),
        ('refuse(x > 1, "it is late")', 'refuse(x > 1, "XXit is lateXX")'),
        ('raise E(f"{word[:40]!r} is late")', 'raise E(f"{word[:41]!r} is late")'),
        ('raise E(f"{a + b} is late")', 'raise E(f"{a - b} is late")'),
        ('y = present(x, "it is late")', 'y = present(x, "IT IS LATE")'),
    ],
)
def test_only_the_text_of_a_message_changes(was: str, becomes: str) -> None:
    assert survivors.only_a_message(f"def f(): {was}", f"def f(): {becomes}")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('raise E("late")', 'raise E("LATE")'),  # one word may be a code
        ('raise E("it is late")', "raise E()"),
        ('refuse(x > 1, "it is late")', 'refuse(x >= 1, "it is late")'),
        ('refuse("a b" in x, "it is late")', 'refuse("XXa bXX" in x, "it is late")'),
        ('x = "it is late"', 'x = "IT IS LATE"'),
        ('raise E("it is late")', 'raise E("it is late") from None'),
        ('raise E(f"{a} is late", a + b)', 'raise E(f"{a} is late", a - b)'),
        ("return word[:40]", "return word[:41]"),
        ("return 1", "return 1"),
        ("return 1", "return True"),
        ("return a == b", "return a != b"),
    ],
)
def test_more_changes_than_a_message(was: str, becomes: str) -> None:
    assert not survivors.only_a_message(f"def f(): {was}", f"def f(): {becomes}")


MATCH = "def f(x):\n match x:\n  case 1: return {}\n  case _: assert_never({})"


@pytest.mark.parametrize(
    "becomes", [MATCH.format("y", "None"), MATCH.format("y", "x").rpartition("\n")[0]]
)
def test_only_what_is_beyond_reach_changes(becomes: str) -> None:
    assert survivors.only_beyond_reach(MATCH.format("y", "x"), becomes)


@pytest.mark.parametrize(
    "becomes",
    [
        MATCH.format("y", "x"),
        MATCH.format("None", "x"),
        MATCH.format("y", "x").replace("case 1", "case 2"),
        "def f(x):\n match x:\n  case _: assert_never(x)",
        MATCH.format("y", "x").replace("case _: assert_never(x)", "case _: return y"),
    ],
)
def test_what_can_be_reached_changes(becomes: str) -> None:
    assert not survivors.only_beyond_reach(MATCH.format("y", "x"), becomes)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('x.to_bytes(8, "big")', "x.to_bytes(8)"),
        ('int.from_bytes(x, "big")', "int.from_bytes(x, )"),
        ('x.encode("utf-8")', "x.encode()"),
        ('x.encode("utf-8")', 'x.encode("UTF-8")'),
        ('x.decode("ascii")', 'x.decode("ASCII")'),
    ],
)
def test_only_what_python_means_anyway_is_said_otherwise(was: str, becomes: str) -> None:
    assert survivors.only_said_otherwise(was, becomes)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('x.to_bytes(8, "big")', 'x.to_bytes(9, "big")'),
        ('x.to_bytes(8, "little")', "x.to_bytes(8)"),
        ('x.to_bytes(8, "big")', 'x.to_bytes(8, "BIG")'),
        ('x.decode("ascii")', "x.decode()"),
        ('x.decode("ascii", "strict")', 'x.decode("ascii", "ignore")'),
        ('f("ascii")', 'f("ASCII")'),
        ("x.encode()", "x.encode()"),
    ],
)
def test_something_else_is_said(was: str, becomes: str) -> None:
    assert not survivors.only_said_otherwise(was, becomes)


def test_what_is_printed_for_the_list_is_read_back_as_it_was(made: Path) -> None:
    for one in survivors.survivors(survivors.mutants_of(TILL, made)):
        text = f"modules = []\n{survivors.entry(one.change, 2)}"
        (read,) = msgspec.toml.decode(text, type=Listed).survivors

        assert (read.change, read.times) == (one.change, 2)


def test_the_counts_add_up(made: Path) -> None:
    row, whole = survivors.table([TILL], made)
    name, *cells = (cell.strip() for cell in row.strip("|").split("|"))
    total, *parts = map(int, cells)

    assert name == "`shop.till`"
    assert total == sum(parts)
    assert whole.partition("all |")[2].split() == row.partition("` |")[2].split()


def test_each_listed_module_exists_and_each_reason_is_of_one() -> None:
    entries = survivors.listed()

    assert set(entries.modules) <= set(survivors.modules_of())
    assert list(entries.modules) == sorted(set(entries.modules))
    assert survivors.misplaced(entries) == []


def test_each_reason_is_a_sentence_and_given_once() -> None:
    entries = survivors.listed()
    changes = [one.change for one in entries.survivors]

    assert [one for one in entries.survivors if len(one.reason.split()) < 3] == []
    assert len(changes) == len(set(changes))


def test_the_page_counts_the_modules_that_the_list_names() -> None:
    page = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `((?:domain|proofs)[\w.]*)` \|", page, re.MULTILINE)

    assert [f"twinlock.{name}" for name in told] == list(survivors.listed().modules)


def test_a_module_outside_the_list_cannot_be_asked_for() -> None:
    with pytest.raises(SystemExit, match="shop"):
        survivors.chosen(Listed(modules=("twinlock.domain.laws",)), ["shop.till"])
