"""What serves can neither name the range nor pass what the range turns."""

import ast
import inspect
import time
import tomllib
from pathlib import Path

import pytest

from twinlock.bootstrap import ruling, serving
from twinlock.bootstrap.rulebook import RuleBook, book_of_text, rule_book
from twinlock.bootstrap.serving import Steering
from twinlock.cli import serve
from twinlock.domain.laws import LAWS
from twinlock.domain.proving import codes_help

ROOT = Path(__file__).parents[3]


def calls(module: object, name: str) -> list[ast.Call]:
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type] # a module
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    ]


def test_serve_passes_neither_clock_nor_prices_nor_steering() -> None:
    opened = calls(serve, "open_api")

    assert len(opened) == 2  # Tried out, and served.
    assert all(call.keywords == [] and len(call.args) == 1 for call in opened)


def test_serve_passes_the_rules_that_hold_every_law() -> None:
    assert calls(serve, "rule_book") == calls(serve, "RuleBook") == []
    assert calls(ruling, "RuleBook") == []
    assert rule_book().laws == book_of_text(rule_book().policy.text).laws == LAWS
    assert rule_book().codes is codes_help


def test_an_import_contract_bars_what_serves_from_the_range() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = {one["id"]: one for one in settings["tool"]["importlinter"]["contracts"]}

    barred = contracts["range"]
    assert barred["forbidden_modules"] == ["twinlock.range"]
    assert "twinlock.cli.serve" in barred["source_modules"]
    assert "twinlock.bootstrap" in barred["source_modules"]


def test_without_steering_seconds_are_real_and_the_store_is_the_store() -> None:
    steering = Steering()
    store = object()

    assert steering.seconds is time.monotonic
    assert steering.through(store) is store  # type: ignore[arg-type] # anything
    assert steering.outbox_seconds == serving.OUTBOX_SECONDS


def test_a_rule_book_asks_for_codes_by_the_law_unless_told() -> None:
    book = rule_book()
    bare = RuleBook(laws=(), statutes=(), policy=book.policy, confirm=book.confirm)

    assert bare.codes is codes_help


@pytest.mark.parametrize("name", ["clock", "prices", "steering"])
def test_what_the_range_turns_is_nothing_unless_it_is_passed(name: str) -> None:
    assert inspect.signature(serving.open_api).parameters[name].default is None
