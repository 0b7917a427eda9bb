"""Whatever stands in a scenario file, it ends in a story or in ``scenario_refused``."""

import asyncio
import copy
import json
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # PyYAML ships no types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.ranges import PASSKEY_ACCOUNT, a_story, played, step

from twinlock.range.reader import _STORIES, ScenarioRefusedError, read_story, shipped_names
from twinlock.range.story import Story
from twinlock.range.words import DEEDS, Proof

TEXTS = {name: _STORIES.joinpath(f"{name}.yaml").read_bytes() for name in shipped_names()}
PLAIN = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
WORDS = st.sampled_from(
    ["", "all", "a1", "a99", "banana", "6h", "999999d", "wait:a1", "passkey@new", "5", ".nan", "\0"]
)
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | WORDS
    | st.sampled_from([10**40, -(2**63), 2**64]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
TAGS = [b"!!timestamp x", b'!!int ""', b'!!float ""', b"!!bool x", b"!!set [b]", b"!!map [x]"]
YAML = [
    *TAGS,
    b"0x_",
    b"1_:_",
    b"._",
    b"=",
    b"<<",
    b"0001-01-01t00:00:00+99:99",
    b"&a",
    b"*a",
    b"? ",
]


def ends_well(data: bytes) -> None:
    """Read ``data``; anything but a story or a refusal that names the file is an error."""
    try:
        story = read_story(data, name="S99.yaml")
    except ScenarioRefusedError as refused:
        assert str(refused).startswith("S99.yaml: ")  # noqa: PT017 - both ends are fine
    else:
        assert isinstance(story, Story)


def places(value: dict[str, Any] | list[Any]) -> list[tuple[Any, Any]]:
    """Return every place in a tree: what holds it, and under which key."""
    pairs: list[tuple[Any, Any]] = []
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        pairs.append((value, key))
        if isinstance(one, dict | list):
            pairs += places(one)
    return pairs


@given(data=st.data(), name=st.sampled_from(sorted(PLAIN)))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_a_real_file_with_something_odd_in_it_is_read_or_refused(
    data: st.DataObject, name: str
) -> None:
    plain = copy.deepcopy(PLAIN[name])
    for _ in range(data.draw(st.integers(1, 3))):
        held, key = data.draw(st.sampled_from(places(plain)))
        if data.draw(st.booleans()) and isinstance(held, dict):
            held[data.draw(WORDS)] = held.pop(key)
        held[key] = data.draw(ODD)

    ends_well(json.dumps(plain).encode())


@given(data=st.data(), name=st.sampled_from(sorted(TEXTS)))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_a_real_file_with_broken_bytes_is_read_or_refused(data: st.DataObject, name: str) -> None:
    text = TEXTS[name]
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, min(len(text), at + 40)))
    put = data.draw(st.binary(max_size=8) | st.sampled_from(YAML))

    ends_well(text[:at] + put + text[until:])


KEYS = [
    "amount",
    "asset",
    "authenticator",
    "authorization",
    "call",
    "channel",
    "destination",
    "destinations",
    "from",
    "of",
    "same_first",
    "scopes",
    "state",
    "via",
    "wanted",
    "which",
]
VALUES = [
    "small",
    "-5",
    "1e5",
    "BTC",
    "ETH",
    "totp",
    "x1",
    "old_addr",
    "spend",
    "valid",
    "absent",
    "down",
    "slow",
    "clock",
    "new_device",
    "passkey",
]
GIVEN = st.dictionaries(
    st.sampled_from(KEYS),
    st.sampled_from(VALUES) | st.sampled_from([10**40, 1.5, 0, ["read"], None]),
    max_size=4,
)
SHOWN = st.builds("{}{}".format, st.sampled_from(Proof), st.sampled_from(["", "@new", "@spent"]))
STEPS = st.fixed_dictionaries(
    {"do": st.sampled_from(sorted(DEEDS)), "with": GIVEN, "proof": st.lists(SHOWN, max_size=2)}
)


@given(chosen=st.lists(STEPS, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_can_be_read_plays_to_its_end(chosen: list[dict[str, Any]]) -> None:
    try:
        story = a_story(*(step(one["do"]) | one for one in chosen), account=PASSKEY_ACCOUNT)
    except ScenarioRefusedError:
        return

    assert len(asyncio.run(played(story)).attack.steps) in (0, len(chosen))


@pytest.mark.parametrize("value", YAML)
def test_what_yaml_finds_a_type_for_is_read_or_refused(value: bytes) -> None:
    ends_well(b"id: " + value)
