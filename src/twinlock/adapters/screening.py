"""The list of sanctions: a file that the operator puts in place, and puts anew each day.

It is OFAC's SDN list as it is published (``sdn.xml``, ``sdn_advanced.xml``: what is called "Digital
Currency Address - …"), or a table with a column ``address``. It is read again when it changes, or
its signature does, beside what is being decided: until it is read the one before it counts.

Always true (tests/unit/adapters/test_screening_files.py): a file that is not there, that cannot be
read whole, that nobody renewed for SCREENING_LIFETIME, or that is not signed by a key that is set
is no list, and no address is clear then.
"""

import csv
import io
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from twinlock.adapters import screening_signing as signing
from twinlock.adapters.regular_files import open_regular
from twinlock.adapters.screening_xml import addresses_of_xml
from twinlock.domain.addresses import AddressError, AddressForm
from twinlock.domain.errors import TwinlockError
from twinlock.domain.screening import NO_LIST, Screening, ScreeningListWrongError
from twinlock.ports import Clock
from twinlock.proofs.addresses.characters import check_characters
from twinlock.proofs.addresses.normal import normal_address

SCREENING_LIFETIME = timedelta(hours=72)  # Renewed daily; a weekend without it stops nobody.
SCREENING_AHEAD_MOST = timedelta(minutes=5)  # Whoever writes the file has a clock of their own.
FILE_BYTES_MOST = 256 * 1024 * 1024  # OFAC's list has some 30 MB, its advanced one some 120.
ROWS_MOST = 1_000_000  # Some 200 MB in memory; all lists of the world have a hundredth of that.
_COLUMN: Final = "address"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningList:
    """What a file says. ``entries`` counts what it names, by the form of addresses.

    ``signed`` says that ``renewed_at`` is what its signature says, and not its file.
    """

    addresses: frozenset[str]
    entries: Counter[str]
    renewed_at: datetime
    signed: bool = False

    def is_stale(self, now: datetime) -> bool:
        """Say whether nobody renewed it for too long, or says so of a time that is not yet.

        Prevents: a file dated years ahead, which is never too old.
        """
        return not -SCREENING_AHEAD_MOST <= now - self.renewed_at <= SCREENING_LIFETIME


class ScreeningFile:
    """Reads the list. Implements ``ports.ScreeningFeed``.

    ``key`` is the public key (32 bytes) of whoever must have signed it, or None: nobody must.
    """

    def __init__(self, path: Path | None, *, clock: Clock, key: bytes | None = None) -> None:
        self._path = path
        self._key = key
        self._clock = clock
        self._seen: tuple[int, ...] | None = None
        self._list: ScreeningList | None = None
        self._reading: threading.Thread | None = None
        self._told = ""

    def screening(self) -> Screening | None:
        """Return the list in force, NO_LIST where there is none, None where none is asked for."""
        if self._path is None:
            return None
        try:
            stamp = _stamp(self._path)
            if self._key is not None:
                stamp += _stamp(signing.signature_path(self._path))
        except OSError as error:
            self._tell(str(error))
            self._seen, self._list = None, None
            return NO_LIST
        self._renew(self._path, stamp)
        return self._in_force()

    def settle(self) -> None:
        """Wait until what is being read is read: for tests, and for whoever ends."""
        if self._reading is not None:
            self._reading.join()

    def _renew(self, path: Path, stamp: tuple[int, ...]) -> None:
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
            self._list = read_list(path, key=self._key)
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


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def read_list(path: Path, *, key: bytes | None = None) -> ScreeningList:
    """Return what the file at ``path`` says; with a ``key`` only what that key signed.

    Raises:
        ScreeningListWrongError: it is no list, not a whole one, or not signed.
        OSError: it cannot be read.
    """
    found = path.stat()
    if found.st_size > FILE_BYTES_MOST:
        raise ScreeningListWrongError(f"a list has at most {FILE_BYTES_MOST} bytes")
    signed = None if key is None else signing.checked(path, key=key)
    with open_regular(path) as file:
        if signed is not None:
            signing.check_bytes(file, signed)
        hashing = signing.Hashing(file)
        addresses, entries = _listed(io.BufferedReader(hashing))
        if signed is not None:  # Prevents: a file that changes between check and reading.
            hashing.check(signed)
    at = _renewed_at(found.st_mtime) if signed is None else signed.signed_at
    return ScreeningList(
        addresses=frozenset(addresses), entries=entries, renewed_at=at, signed=signed is not None
    )


def _renewed_at(seconds: float) -> datetime:
    """Return when a file was written. Raises ScreeningListWrongError: no calendar has it."""
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError) as error:
        raise ScreeningListWrongError("the file says that it is of no year at all") from error


def _listed(file: io.BufferedReader) -> tuple[set[str], Counter[str]]:
    """Return what a list names, and how many of each form."""
    is_xml = file.peek(64)[:64].lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
    named = addresses_of_xml(file) if is_xml else _of_table(file)
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
    return addresses, entries


def spellings(text: str) -> dict[str, str]:
    """Return each normal form that ``text`` has, with the name of the form; lists name no network.

    Raises:
        ScreeningListWrongError: it is no address at all.
    """
    if " " in text:  # Banks print an IBAN in groups; no other form has a space.
        with suppress(AddressError):
            text, _ = normal_address(AddressForm.BANK, text, "")
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


def _of_table(file: BinaryIO) -> Iterator[str]:
    """Yield the column ``address`` of a table of comma-separated values, RFC 4180, in UTF-8."""
    with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
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
