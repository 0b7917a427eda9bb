"""The list of sanctions: a file that the operator puts in place, and puts anew each day.

It is OFAC's SDN list as it is published (``sdn.xml``: the ids "Digital Currency Address - …"), or a
table with a column ``address``. It is read again when it changes, beside what is being decided:
until it is read the one before it counts.

Always true (tests/unit/adapters/test_screening_files.py): a file that is not there, that cannot be
read whole, or that nobody renewed for SCREENING_LIFETIME is no list, and no address is clear then.

Source: OFAC, "Sanctions List Service", sdnList of sdn.xsd.
"""

import csv
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from xml.parsers import expat

import structlog

from twinlock.domain.addresses import AddressError, AddressForm
from twinlock.domain.errors import TwinlockError
from twinlock.domain.screening import NO_LIST, Screening
from twinlock.ports import Clock
from twinlock.proofs.addresses.characters import check_characters
from twinlock.proofs.addresses.normal import normal_address

SCREENING_LIFETIME = timedelta(hours=72)  # Renewed daily; a weekend without it stops nobody.
SCREENING_AHEAD_MOST = timedelta(minutes=5)  # Whoever writes the file has a clock of their own.
FILE_BYTES_MOST = 128 * 1024 * 1024  # OFAC's whole list has some 30 MB.
ROWS_MOST = 1_000_000  # Some 200 MB in memory; all lists of the world have a hundredth of that.
_ID_TYPE: Final = "Digital Currency Address"
_COLUMN: Final = "address"
_CHUNK = 1 << 20
_FORMS = (
    AddressForm.BITCOIN,
    AddressForm.LITECOIN,
    AddressForm.DOGECOIN,
    AddressForm.EVM,
    AddressForm.TRON,
    AddressForm.SOLANA,
    AddressForm.XRPL,
    AddressForm.STELLAR,
    AddressForm.TON,
    AddressForm.BANK,
)
_log = structlog.get_logger(__name__)


class ScreeningListWrongError(TwinlockError):
    """The list of sanctions is of no form that is known, or was cut off: put it in place anew."""

    code = "screening_list_wrong"
    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningList:
    """What a file says. ``entries`` counts what it names, by the form of addresses."""

    addresses: frozenset[str]
    entries: Counter[str]
    renewed_at: datetime

    def is_stale(self, now: datetime) -> bool:
        """Say whether nobody renewed it for too long, or says so of a time that is not yet.

        Prevents: a file dated years ahead, which is never too old.
        """
        return not -SCREENING_AHEAD_MOST <= now - self.renewed_at <= SCREENING_LIFETIME


class ScreeningFile:
    """Reads the list. Implements ``ports.ScreeningFeed``."""

    def __init__(self, path: Path | None, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._list: ScreeningList | None = None
        self._reading: threading.Thread | None = None
        self._told = ""

    def screening(self) -> Screening | None:
        """Return the list in force, NO_LIST where there is none, None where none is asked for."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError as error:
            self._tell(str(error))
            self._seen, self._list = None, None
            return NO_LIST
        self._renew(self._path, (found.st_mtime_ns, found.st_ino, found.st_size))
        return self._in_force()

    def settle(self) -> None:
        """Wait until what is being read is read: for tests, and for whoever ends."""
        if self._reading is not None:
            self._reading.join()

    def _renew(self, path: Path, stamp: tuple[int, int, int]) -> None:
        """Read a file that changed: at once where there is no list, else beside the decisions."""
        if stamp == self._seen or (self._reading is not None and self._reading.is_alive()):
            return
        self._seen = stamp
        if self._list is None:
            self._read(path)
            return
        self._reading = threading.Thread(target=self._read, args=(path,), daemon=True)
        self._reading.start()

    def _read(self, path: Path) -> None:
        try:
            self._list = read_list(path)
            self._told = ""
        except (OSError, TwinlockError) as error:
            self._list = None
            self._tell(str(error))

    def _in_force(self) -> Screening:
        held = self._list
        if held is None:
            return NO_LIST
        if held.is_stale(self._clock.now(database_at=None)):
            self._tell(f"it was renewed at {held.renewed_at:%Y-%m-%d %H:%M} UTC last")
            return NO_LIST
        return Screening(in_force=True, addresses=held.addresses)

    def _tell(self, text: str) -> None:
        """Log why there is no list: once until it changes, since every decision asks."""
        if text != self._told:
            _log.warning("screening_list_refused", path=str(self._path), text=text)
        self._told = text


def read_list(path: Path) -> ScreeningList:
    """Return what the file at ``path`` says.

    Raises:
        ScreeningListWrongError: it is no list, or not a whole one.
        OSError: it cannot be read.
    """
    found = path.stat()
    if found.st_size > FILE_BYTES_MOST:
        raise ScreeningListWrongError(f"a list has at most {FILE_BYTES_MOST} bytes")
    with path.open("rb") as file:
        is_xml = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
    named = _of_xml(path) if is_xml else _of_table(path)
    addresses: set[str] = set()
    entries: Counter[str] = Counter()
    for place, text in enumerate(named, start=1):
        if place > ROWS_MOST:
            raise ScreeningListWrongError(f"a list names at most {ROWS_MOST} addresses")
        forms = spellings(text)
        entries[min(forms.values(), default="other")] += 1
        addresses.update(forms or {text})
    if not addresses:
        # Prevents: a download that broke off behind its first lines, taken for a short list.
        raise ScreeningListWrongError("the list names no address")
    renewed_at = datetime.fromtimestamp(found.st_mtime, tz=UTC)
    return ScreeningList(addresses=frozenset(addresses), entries=entries, renewed_at=renewed_at)


def spellings(text: str) -> dict[str, str]:
    """Return each normal form that ``text`` has, with the name of the form; lists name no network.

    Raises:
        ScreeningListWrongError: it is no address at all.
    """
    try:
        check_characters(text)
    except AddressError as error:
        raise ScreeningListWrongError(f"the list holds what is no address: {error}") from error
    found: dict[str, str] = {}
    for form in _FORMS:
        try:
            address, _ = normal_address(form, text, "")
        except AddressError:
            continue
        found.setdefault(address, form.value)
    plain = text.lower()
    if not found and plain != text and plain.startswith("0x"):
        # Prevents: an address that a list writes in capitals of its own, and that nobody looks for.
        return spellings(plain)
    return found


def _of_table(path: Path) -> Iterator[str]:
    """Yield the column ``address`` of a table of comma-separated values, RFC 4180, in UTF-8."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = [name.strip().lower() for name in next(rows, [])]
            if header.count(_COLUMN) != 1:
                raise ScreeningListWrongError(f"a table has one column called {_COLUMN}")
            column = header.index(_COLUMN)
            for number, row in enumerate(rows, start=2):
                if not row:
                    continue
                if len(row) != len(header):
                    raise ScreeningListWrongError(f"row {number} has {len(row)} cells")
                yield row[column].strip(" ")
        except (csv.Error, UnicodeDecodeError) as error:
            raise ScreeningListWrongError("the table is not of comma-separated UTF-8") from error


class _Ids:
    """What stands in ``sdnEntry/idList/id`` of OFAC's list, in the order of the file."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._root = ""
        self._text: list[str] = []
        self._id: dict[str, str] = {}
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._begin
        self.parser.CharacterDataHandler = self._text.append
        self.parser.EndElementHandler = self._end

    def _refuse(self, *_: object) -> None:
        raise ScreeningListWrongError("a list of sanctions has no document type")

    def _begin(self, name: str, _: object) -> None:
        if not self._root:
            self._root = name
            if name != "sdnList":
                raise ScreeningListWrongError("this is not sdn.xml, which begins with sdnList")
        self._text.clear()
        if name == "id":
            self._id = {}

    def _end(self, name: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        if name in ("idType", "idNumber"):
            self._id[name] = text
        if name == "id" and self._id.get("idType", "").startswith(_ID_TYPE):
            self.found.append(self._id.get("idNumber", ""))


def _of_xml(path: Path) -> Iterator[str]:
    ids = _Ids()
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                ids.parser.Parse(chunk, False)  # noqa: FBT003 - expat's own
                yield from ids.found
                ids.found.clear()
            ids.parser.Parse(b"", True)  # noqa: FBT003 - as above: it must end where it should
        except (expat.ExpatError, LookupError, ValueError) as error:
            # The last two: an encoding that is unknown, or that has more bytes for a letter.
            raise ScreeningListWrongError("the list is not whole, or no XML") from error
