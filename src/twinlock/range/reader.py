"""Reads scenario files: strict YAML, exactly in schema 1, whoever wrote them.

Always true (tests/unit/range/test_reader.py):

* a file is read whole or refused, with its name, the place in it and one stable code;
* no file costs more than its size: anchors and aliases, which multiply, are refused, and so are
  doubled keys, deep nesting, tags, control characters and anything that is not plain text,
  numbers, lists and mappings;
* whatever the bytes are, the end is a story or a refusal (tests/unit/range/test_reader_fuzz.py).

Source: docs/range.md, "The file"; YAML 1.1 as PyYAML's safe loader reads it.
"""

import unicodedata
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import yaml  # type: ignore[import-untyped] # PyYAML ships no types; what it gives is converted

from twinlock.domain.errors import TwinlockError
from twinlock.range.asked import as_read
from twinlock.range.story import Story

FILE_BYTES_MOST = 262_144  # Thirty times the longest one so far.
DEPTH_MOST = 16  # The deepest demand nests eight levels.
_NOT_TEXT = frozenset({"Cc", "Cs"})  # What steers terminals, and half characters.
_TEXT = "tag:yaml.org,2002:str"
_STORIES = resources.files("twinlock.range").joinpath("stories")


class ScenarioRefusedError(TwinlockError):
    """A scenario file that is not in schema 1; the message names file and place."""

    code = "scenario_refused"
    status = 422


def _category(character: str) -> str:
    """Return the general category of a character; line ends and tabs count as spaces."""
    return "Zs" if character in "\n\t" else unicodedata.category(character)


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # it has no types
    """The safe loader without what multiplies or hides: aliases, doubled keys, depth.

    A day is text here, as people write it.
    """

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, form) for tag, form in known if not tag.endswith(":timestamp")]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401 - PyYAML's own types
        """Compose one node, counting how deep it stands."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _marked("anchors and aliases are not read", event.start_mark)
        if event.tag is not None:
            raise _marked(f"tags are not read, and this is {event.tag[:64]!r}", event.start_mark)
        if isinstance(event, yaml.ScalarEvent) and _NOT_TEXT & set(map(_category, event.value)):
            raise _marked("control characters are not read", event.start_mark)
        self._depth += 1
        if self._depth > DEPTH_MOST:
            raise _marked(f"nested deeper than {DEPTH_MOST}", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:  # noqa: ANN401, FBT002 - PyYAML's signature
        """Return the value of a node; one that only looks like its type is refused."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):
            says = f"{str(node.value)[:64]!r} is not what it looks like"
            raise _marked(says, node.start_mark) from None

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:  # noqa: ANN401, FBT002 - PyYAML's signature
        """Return a mapping whose keys are words, each standing once."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if not isinstance(key, str) or key_node.tag == "tag:yaml.org,2002:merge":
                raise _marked("a key is a word", key_node.start_mark)
            if key in seen:
                raise _marked(f"the key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
            key_node.tag = _TEXT  # "on" and "no" are words, and no truths, before a colon.
        read: dict[str, Any] = super().construct_mapping(node, deep)
        return read


def _marked(says: str, mark: Any) -> yaml.YAMLError:  # noqa: ANN401 - PyYAML's own type
    return yaml.MarkedYAMLError(problem=says, problem_mark=mark)


def read_story(data: bytes, *, name: str) -> Story:
    """Return the story in ``data``; ``name`` is what errors call the file.

    Raises:
        ScenarioRefusedError: it is not a file of schema 1.
    """
    if len(data) > FILE_BYTES_MOST:
        raise ScenarioRefusedError(f"{name}: a scenario has at most {FILE_BYTES_MOST} bytes")
    plain = _plain(data, name)
    try:
        return msgspec.convert(_with_accounts(plain), Story)
    except (msgspec.ValidationError, OverflowError) as error:
        raise ScenarioRefusedError(f"{name}: {error}") from error


def _plain(data: bytes, name: str) -> dict[str, Any]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioRefusedError(f"{name}: byte {error.start} is not UTF-8") from error
    try:
        loader = _Loader(text)
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
    except Exception as error:  # A parser of hostile bytes: whatever it trips over is refused.
        raise ScenarioRefusedError(f"{name}: {_one_line(error)}") from error
    if not isinstance(value, dict):
        raise ScenarioRefusedError(f"{name}: a scenario is a mapping")
    return value


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = "" if mark is None else f" - at line {mark.line + 1}, column {mark.column + 1}"
    return f"{getattr(error, 'problem', None) or type(error).__name__}{place}"


def _with_accounts(plain: dict[str, Any]) -> dict[str, Any]:
    """Give each demand and the twin its whole account: the story's, with its own keys over it.

    What their checks say beside their parameters is put apart.
    """
    base = plain.get("account")
    if not isinstance(base, dict):
        return plain

    def whole(part: Any) -> Any:  # noqa: ANN401 - not converted yet
        own = part.get("account", {}) if isinstance(part, dict) else None
        if not isinstance(own, dict):
            return part
        check = {"check": as_read(part["check"])} if "check" in part else {}
        return {**part, "account": {**base, **own}, **check}

    merged = dict(plain)
    for key in ("must", "must_not"):
        if isinstance(plain.get(key), list):
            merged[key] = [whole(part) for part in plain[key]]
    if "benign_twin" in plain:
        merged["benign_twin"] = whole(plain["benign_twin"])
    return merged


def load_story(path: Path) -> Story:
    """Return the story in the file at ``path``.

    Raises:
        ScenarioRefusedError: it cannot be read, or is not one.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MOST + 1)
    except OSError as error:
        raise ScenarioRefusedError(f"{path}: {error.strerror}") from error
    return read_story(data, name=path.name)


def shipped_names() -> tuple[str, ...]:
    """Return the ids of the stories that come with the package."""
    files = (one.name for one in _STORIES.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml")))


def shipped_story(name: str) -> Story:
    """Return a story that comes with the package, by its id. Raises ScenarioRefusedError."""
    if name not in shipped_names():
        raise ScenarioRefusedError(f"{name}: no file, and no story that comes with Twinlock")
    data = _STORIES.joinpath(f"{name}.yaml").read_bytes()
    return read_story(data, name=f"{name}.yaml")
