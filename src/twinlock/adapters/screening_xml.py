"""OFAC's two XML lists, read as they are published: which addresses they name.

``sdn.xml`` names them as ids, ``sdn_advanced.xml`` as features of parties, by numbers that it
explains before. Nothing else of either is kept.

Source: OFAC, "Sanctions List Service", sdn.xsd and the advanced schema (sanctions data model).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final
from xml.parsers import expat

from twinlock.domain.screening import ScreeningListWrongError

_TYPE: Final = "Digital Currency Address"
_CHUNK = 1 << 20


class _Reader(ABC):
    """The part that both have: text by elements, and no document type."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._text: list[str] = []

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take the begin of an element."""
        self._text.clear()
        self.opened(name, attributes)

    def text(self, data: str) -> None:
        """Take some of an element's text."""
        self._text.append(data)

    def end(self, name: str) -> None:
        """Take the end of an element."""
        text = "".join(self._text).strip()
        self._text.clear()
        self.closed(name, text)

    @abstractmethod
    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """Note what begins."""

    @abstractmethod
    def closed(self, name: str, text: str) -> None:
        """Note what ended, with the text that stood at its end."""


class _Ids(_Reader):
    """What stands in ``sdnEntry/idList/id`` of ``sdn.xml``, in the order of the file."""

    def __init__(self) -> None:
        super().__init__()
        self._id: dict[str, str] = {}

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002 - the parser calls it so
        """Begin a new id."""
        if name == "id":
            self._id = {}

    def closed(self, name: str, text: str) -> None:
        """Keep the number of an id that is an address."""
        if name in ("idType", "idNumber"):
            self._id[name] = text
        if name == "id" and self._id.get("idType", "").startswith(_TYPE):
            self.found.append(self._id.get("idNumber", ""))


class _Features(_Reader):
    """What stands in ``VersionDetail`` of features whose type is an address, in that order.

    A type that stands behind what refers to it would be missed, so that is refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self._types: set[str] = set()
        self._type = ""
        self._parties = False
        self._in_address = False
        self._details = 0

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        """Note the number of a type, and of which type a feature is."""
        if name == "FeatureType":
            self._type = attributes.get("ID", "")
        elif name == "Feature":
            self._parties = True
            self._in_address = attributes.get("FeatureTypeID") in self._types
            self._details = 0

    def closed(self, name: str, text: str) -> None:
        """Keep the detail of a feature that is an address."""
        if name == "FeatureType" and text.startswith(_TYPE):
            if self._parties or not self._type:
                raise ScreeningListWrongError("a type of feature stands where none is expected")
            self._types.add(self._type)
        elif name == "VersionDetail" and self._in_address:
            self.found.append(text)
            self._details += 1
        elif name == "Feature" and self._in_address:
            self._in_address = False
            if not self._details:
                raise ScreeningListWrongError("the list holds an address without its characters")


_READERS: Mapping[str, type[_Reader]] = {"sdnList": _Ids, "Sanctions": _Features}


class _Parser:
    """Chooses the reader by the first element, and gives it everything."""

    def __init__(self) -> None:
        self._reader: _Reader | None = None
        self.expat = expat.ParserCreate()
        self.expat.buffer_text = True
        self.expat.StartDoctypeDeclHandler = self._refuse
        self.expat.StartElementHandler = self._first

    def _refuse(self, *_: object) -> None:
        raise ScreeningListWrongError("a list of sanctions has no document type")

    def _first(self, name: str, attributes: Mapping[str, str]) -> None:
        kind = _READERS.get(name)
        if kind is None:
            raise ScreeningListWrongError(
                "this is neither sdn.xml nor sdn_advanced.xml, by its first element"
            )
        reader = self._reader = kind()
        self.expat.StartElementHandler = reader.begin
        self.expat.CharacterDataHandler = reader.text
        self.expat.EndElementHandler = reader.end
        reader.begin(name, attributes)

    def taken(self) -> list[str]:
        """Return what was found since the last time."""
        if self._reader is None:
            return []
        found, self._reader.found = self._reader.found, []
        return found


def addresses_of_xml(file: BinaryIO) -> Iterator[str]:
    """Yield what a list names, as it is written there.

    Raises:
        ScreeningListWrongError: it is no list of OFAC's, or not a whole one.
    """
    parser = _Parser()
    try:
        while chunk := file.read(_CHUNK):
            parser.expat.Parse(chunk, False)  # noqa: FBT003 - expat names no argument; more follows
            yield from parser.taken()
        parser.expat.Parse(b"", True)  # noqa: FBT003 - the same; it must end where it should
        yield from parser.taken()
    except (expat.ExpatError, LookupError, ValueError) as error:
        # The last two: an encoding that is unknown, or that has more bytes for a letter.
        raise ScreeningListWrongError("the list is not whole, or no XML") from error
