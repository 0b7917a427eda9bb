"""Rows of a file of sign-ins, one by one: whatever a row holds, the next one is read.

Always true (tests/unit/cli/test_risk_rows.py): memory is bounded, however long a line is; a row
that cannot be read is counted by its code, with the number of its line.
"""

import csv
import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, BinaryIO, Protocol

import msgspec

from twinlock.domain.errors import TwinlockError
from twinlock.ports.sign_ins import Visitor
from twinlock.services.importing.reading import ends_inside
from twinlock.services.risk import Attempt

LINE_BYTES_MOST = 8_192  # Some have a thousand; the last of each of 50,000 users is kept.
TOLD_MOST = 1_000  # Broken rows that are kept with their lines.
_OF_SITE = {4: 24, 6: 48}  # Bits.


class Columns(StrEnum):
    """Which columns a file has."""

    OWN = "own"
    RBA = "rba"


_RBA = (
    "User ID",
    "IP Address",
    "Country",
    "ASN",
    "User Agent String",
    "Browser Name and Version",
    "OS Name and Version",
    "Device Type",
    "Login Successful",
    "Is Account Takeover",
)
_OWN = ("user", "ip", "user_agent")
_NEEDED = {Columns.OWN: _OWN, Columns.RBA: _RBA}
_READ = {Columns.OWN: (*_OWN, "country", "asn", "success", "takeover"), Columns.RBA: _RBA}
_YES, _NO = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})


class SignInFileError(TwinlockError):
    """A file of sign-ins without a header that names each needed thing once (docs/risk.md)."""

    code = "sign_in_columns_missing"
    status = 422


class Fault(StrEnum):
    """Why a row counts for nothing."""

    TOO_LONG = "line_too_long"
    NOT_UTF8 = "not_utf8"
    NOT_CSV = "not_csv"
    NOT_JSON = "not_json"
    FIELDS = "fields_missing"
    USER = "user_missing"
    IP = "ip_malformed"
    FLAG = "flag_malformed"


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A row that could not be read: the number of its line, and why."""

    line: int
    code: Fault


class _FaultyError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class PartsReader(Protocol):
    """Reads addresses and agents where a file has their parts not."""

    def parts(self, visitor: Visitor) -> tuple[tuple[str, ...], tuple[str, ...], int]:
        """Return the values of address and agent, coarse to fine, and the browser's version."""
        ...


class Rows:
    """The sign-ins of a file; ``broken`` counts what could not be read, ``skipped`` what failed."""

    def __init__(self, file: BinaryIO, columns: Columns, reader: PartsReader) -> None:
        self._file = file
        self._columns = columns
        self._reader = reader
        self._line = 0
        self._inside = False  # Whether the lines so far left a quoted cell of CSV open,
        self._within = False  # and whether those before the last one did.
        self.broken: Counter[str] = Counter()
        self.told: list[Broken] = []
        self.skipped = 0

    def __iter__(self) -> Iterator[Attempt]:
        for row in self._rows():
            try:
                found = self._attempt(row)
            except _FaultyError as faulty:
                self._note(faulty.fault)
                continue
            if found is None:
                self.skipped += 1
            else:
                yield found

    def _note(self, fault: Fault) -> None:
        self.broken[fault.value] += 1
        if len(self.told) < TOLD_MOST:
            self.told.append(Broken(line=self._line, code=fault))

    # --- Lines and rows ---

    def _lines(self) -> Iterator[str]:
        while data := self._file.readline(LINE_BYTES_MOST + 1):
            self._line += 1
            whole = len(data.removesuffix(b"\n")) <= LINE_BYTES_MOST
            if not whole:
                data += self._skip(data)
            self._within, self._inside = self._inside, ends_inside(data, inside=self._inside)
            if not whole:
                self._note(Fault.TOO_LONG)
                continue
            try:
                text = data.decode("utf-8-sig" if self._line == 1 else "utf-8")
            except UnicodeDecodeError:
                self._note(Fault.NOT_UTF8)
                continue
            if text.strip():
                yield text

    def _skip(self, data: bytes) -> bytes:
        """Read on to the end of a line that begins with ``data``; keep a quote where one is odd."""
        odd = 0
        while data and not data.endswith(b"\n"):
            data = self._file.readline(LINE_BYTES_MOST + 1)
            odd ^= data.count(b'"') & 1
        return b',"' if odd else b""  # Behind a comma, since it opens a cell where none is open.

    def _rows(self) -> Iterator[Mapping[str, str]]:
        lines = self._lines()
        first = next(lines, "")
        if self._columns is Columns.OWN and first.lstrip().startswith("{"):
            yield from self._objects(first, lines)
            return
        try:
            header = next(csv.reader([first]), [])
        except csv.Error as error:
            raise SignInFileError("the first line is no header of CSV") from error
        missing = [name for name in _NEEDED[self._columns] if name not in header]
        if missing:
            raise SignInFileError(f"the first line names no column {missing[0]!r}")
        twice = [name for name in _READ[self._columns] if header.count(name) > 1]
        if twice:
            raise SignInFileError(f"the first line names the column {twice[0]!r} twice")
        yield from self._records(header, lines)

    def _objects(self, first: str, lines: Iterator[str]) -> Iterator[Mapping[str, str]]:
        yield from filter(None, map(self._object, (first,)))
        yield from filter(None, map(self._object, lines))

    def _object(self, line: str) -> Mapping[str, str] | None:
        try:
            found = msgspec.json.decode(line, type=dict[str, str | int | bool | None])
        except msgspec.MsgspecError:
            self._note(Fault.NOT_JSON)
            return None
        return {name: "" if value is None else str(value) for name, value in found.items()}

    def _records(self, header: list[str], lines: Iterator[str]) -> Iterator[Mapping[str, str]]:
        """Give the rows of a CSV file; a line is a row, since no field of ours has two lines.

        Prevents: a visitor whose own text has a second line, which tells of somebody's sign-in.
        """
        for line in lines:
            if self._within:
                self._note(Fault.NOT_CSV)
                continue
            try:
                [fields] = csv.reader([line], strict=True)
            except (csv.Error, ValueError):
                self._note(Fault.NOT_CSV)
                continue
            if len(fields) != len(header):
                self._note(Fault.FIELDS)
                continue
            yield dict(zip(header, fields, strict=True))

    # --- What a row says ---

    def _attempt(self, row: Mapping[str, str]) -> Attempt | None:
        rba = self._columns is Columns.RBA
        user = row.get("User ID" if rba else "user", "")
        if not user:
            raise _FaultyError(Fault.USER)
        if not _flag(row, "Login Successful" if rba else "success", without=True):
            return None
        return _of_dataset(user, row) if rba else self._own(user, row)

    def _own(self, user: str, row: Mapping[str, str]) -> Attempt:
        address = row.get("ip", "")
        site = _site(address)
        visitor = Visitor(ip=address, user_agent=row.get("user_agent", ""))
        where, what, version = self._reader.parts(visitor)
        country, owner = (*where[:2], "", "")[:2]
        device, system, browser, text = (*what, "", "", "", "")[:4]
        return Attempt(
            user=user,
            ip=(row.get("country") or country, row.get("asn") or owner, site, address),
            ua=(device, system, browser, text),
            versions=(f"{browser} {version}", system),
            takeover=_flag(row, "takeover", without=False),
        )


def _of_dataset(user: str, row: Mapping[str, str]) -> Attempt:
    address, browser, system = (
        row[name] for name in ("IP Address", "Browser Name and Version", "OS Name and Version")
    )
    return Attempt(
        user=user,
        ip=(row["Country"], row["ASN"], _site(address), address),
        ua=(row["Device Type"], _family(system), _family(browser), row["User Agent String"]),
        versions=(browser, system),
        takeover=_flag(row, "Is Account Takeover", without=False),
    )


def _family(text: str) -> str:
    """Return the name before the version: ``Chrome 80.0.3987`` is of ``Chrome``."""
    words = text.split()
    while len(words) > 1 and words[-1][:1].isdigit():
        words.pop()
    return " ".join(words)


def _site(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise _FaultyError(Fault.IP) from None
    return str(ipaddress.ip_network((found, _OF_SITE[found.version]), strict=False))


def _flag(row: Mapping[str, Any], name: str, *, without: bool) -> bool:
    said = row.get(name, "").strip().lower()
    if said in _YES:
        return True
    if said in _NO:
        return without if said == "" else False
    raise _FaultyError(Fault.FLAG)
