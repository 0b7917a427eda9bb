"""Secrets are not shown by whatever prints a struct."""

import importlib
import pkgutil
import sys

import msgspec
from support.worlds import an_account, an_app

import twinlock
from twinlock.domain.discreet import Discreet

SECRETS = frozenset(
    {
        "against",
        "code_mac",
        "fresh",
        "label_key",
        "password",
        "rehashed",
        "secret",
        "seed",
        "token",
        "uri",
        "veto",
        "veto_key",
    }
)
# What is not the secret that its name suggests: a demand, and what the range's mailbox is read for.
OPEN = frozenset(
    {
        ("twinlock.domain.requirements", "password"),
        ("twinlock.range.mailbox", "veto"),
        ("twinlock.range.roaming", "seed"),  # Of a generator: by it a life is lived again.
        ("twinlock.adapters.officers", "token"),  # The label of a PKCS #11 token.
    }
)


def structs() -> list[type[msgspec.Struct]]:
    for module in pkgutil.walk_packages(twinlock.__path__, "twinlock."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[msgspec.Struct]] = []
    left: list[type[msgspec.Struct]] = [msgspec.Struct]
    while left:
        children = left.pop().__subclasses__()
        found += children
        left += children
    return [one for one in found if _is_ours(one)]


def _is_ours(struct: type[msgspec.Struct]) -> bool:
    """Leave out what a framework makes of our routes, in the name of our modules."""
    module = sys.modules.get(struct.__module__)
    named = getattr(module, struct.__name__, None)
    return struct.__module__.startswith("twinlock.") and named is struct


def test_every_struct_hides_its_secrets() -> None:
    telling = [
        f"{struct.__module__}.{struct.__qualname__}.{name}"
        for struct in structs()
        for name in struct.__struct_fields__
        if name in SECRETS
        and (struct.__module__, name) not in OPEN
        and not (issubclass(struct, Discreet) and name in struct.HIDDEN)
    ]

    assert telling == []


def test_what_is_hidden_is_a_field() -> None:
    wrong = [
        struct.__qualname__
        for struct in structs()
        if issubclass(struct, Discreet) and not set(struct.__struct_fields__) >= struct.HIDDEN
    ]

    assert wrong == []


def test_a_secret_is_hidden_however_deep_it_lies_and_the_rest_is_shown() -> None:
    account = an_account(an_app())

    shown = f"{account!r} {account} {[account]}"

    assert "seed of aut_totp" not in shown
    assert account.chain.label_key not in shown
    assert shown.count(account.account_id) == 3


class Locker(Discreet, frozen=True):
    """A place with a secret."""

    HIDDEN = frozenset({"secret"})

    number: int
    secret: str
    owner: str


def test_what_is_not_hidden_is_shown() -> None:
    assert repr(Locker(7, "1234", "alice")) == "Locker(number=7, secret=<hidden>, owner='alice')"
