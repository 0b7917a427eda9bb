"""Policies as files: the profiles that we ship, and those that an operator writes.

A policy is taken only after both engines gave the same answers to requests at the boundaries of
everything it compares.
"""

import os
import stat
from importlib import resources
from pathlib import Path

import msgspec

from twinlock.adapters import cedar
from twinlock.adapters.cedar import CedarEngine
from twinlock.adapters.cedar_words import first_line
from twinlock.adapters.setting_table import PROFILES
from twinlock.domain.policy.annotations import PolicyFault, PolicyRefusedError, refuse
from twinlock.domain.policy.boundaries import boundary_requests
from twinlock.domain.policy.statutes import TEXT_BYTES_MOST
from twinlock.domain.policy.version import ASSETS, Draft, Policy, header_of

KEPT_BYTES_MOST = 65_535  # Of the whole text, with the schema: what the table of policies takes.
CHECKED_AT_LOAD = 512  # Requests, some 60 ms; the tests ask far more.
CHECKED_AT_MOST = 16_384  # Where a rule seldom matches, or never: 5 ms for each such action.
_SUFFIX = ".cedar"
SCHEMA_FILE = "twinlock.cedarschema"


def shipped(name: str) -> str:
    """Return the text of a profile that we ship."""
    return resources.files("twinlock").joinpath("policies", f"{name}{_SUFFIX}").read_text("utf-8")


def text_at(path: Path) -> str:
    """Return the text of a policy file. Raises PolicyRefusedError."""
    text, beside = _read(path), path.with_name(SCHEMA_FILE)
    if beside.exists():
        cedar.check_schema(_read(beside))
    return text


def _read(path: Path) -> str:
    """Return the text of a file, no more of it than shows that it is too long."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                refuse(PolicyFault.UNREADABLE, f"{path} is no regular file")
            return file.read(TEXT_BYTES_MOST + 1).decode("utf-8")
    except OSError as error:
        refuse(PolicyFault.UNREADABLE, f"{path} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        refuse(PolicyFault.UNREADABLE, f"{path} is no text in UTF-8")


def _at_once(path: str, flags: int) -> int:
    """Open a file. Prevents: waiting for a pipe to which nobody writes."""
    return os.open(path, flags | os.O_NONBLOCK)


def load(profile: str) -> tuple[Policy, CedarEngine]:
    """Return a profile by name or by the path of its file, with its second engine.

    Raises:
        PolicyRefusedError: it cannot be read, or is refused for what it says.
    """
    text, name = named_text(profile)
    return compile_policy(text, profile=name)


def named_text(profile: str) -> tuple[str, str]:
    """Return the text of a profile by name or by the path of its file, and what it is called.

    Raises:
        PolicyRefusedError: it cannot be read.
    """
    if profile in PROFILES:
        return shipped(profile), profile
    path = Path(profile)
    if path.suffix != _SUFFIX:
        says = f"{path.name[:64]} is none of {', '.join(PROFILES)}, nor does it end with {_SUFFIX}"
        refuse(PolicyFault.UNREADABLE, says)
    if not path.stem.isprintable():  # It is the profile's name, in the log and in each bundle.
        refuse(PolicyFault.UNREADABLE, "the name of its file holds more than printable characters")
    return text_at(path), path.stem


def compile_kept(text: bytes) -> tuple[Policy, CedarEngine]:
    """Return the policy version that is kept as ``text``, checked as any, with its second engine.

    Raises:
        PolicyRefusedError: as ``load``; or another release made it: of other facts or assets.
    """
    header_of(text)
    try:
        whole = msgspec.json.decode(text, type=_Kept)
    except msgspec.ValidationError:
        refuse(PolicyFault.UNREADABLE, "it is not the text of a policy")
    policy, engine = compile_policy(cedar.written(bytes(whole.statutes)), profile=whole.profile)
    if policy.text != text:
        refuse(PolicyFault.SCHEMA_DIFFERS, "another release made it, of other facts or assets")
    return policy, engine


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Of the text of a policy version, what is written by people."""

    profile: str
    statutes: msgspec.Raw


def compile_policy(text: str, *, profile: str) -> tuple[Policy, CedarEngine]:
    """Return the policy that ``text`` spells, checked, with its second engine.

    Raises:
        PolicyRefusedError: as ``load``.
    """
    draft = Draft(
        version=1,
        profile=profile,
        assets=ASSETS,
        statutes=cedar.read_policy(text),
        schema=cedar.own_schema(),
    )
    try:
        policy = Policy(draft)
    except PolicyRefusedError as error:
        raise cedar.with_line(text, error) from error
    if len(policy.text) > KEPT_BYTES_MOST:
        says = f"its whole text, with the schema, has more than {KEPT_BYTES_MOST} bytes"
        refuse(PolicyFault.TOO_LARGE, says)
    try:
        engine = CedarEngine(policy.statutes)
    except ValueError as error:
        says = f"a rule nests deeper than the second engine reads: {first_line(error)}"
        raise PolicyRefusedError(PolicyFault.TOO_LARGE, says) from error
    statutes, least, most = policy.statutes, CHECKED_AT_LOAD, CHECKED_AT_MOST
    for action, context in boundary_requests(statutes, count=least, most=most):
        cedar.compare(statutes, engine, action, context)
    return policy, engine
