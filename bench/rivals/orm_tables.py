"""The rival's tables: those of ``migrations/0001_first.sql``, as ORM classes.

Same columns, keys, checks of uniqueness and storage. What only this service's other routes need is
left out. There is no version counter of SQLAlchemy's: rows are locked before they are read, and
without it two changed documents are written in one statement.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Identity,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

CELL = 1


class Table(DeclarativeBase):
    """What every class of this module maps to."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own name, read once
        bytes: LargeBinary,
        str: Text,
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text),
    }


class SubjectKey(Table):
    """The wrapped key of one subject."""

    __tablename__ = "subject_key"
    subject: Mapped[str] = mapped_column(primary_key=True)
    wrapped: Mapped[bytes]


class Document(Table):
    """A sealed aggregate: an account, or a destination."""

    __tablename__ = "document"
    id: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject_key.subject"), index=True)
    kind: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    box: Mapped[bytes]
    key: Mapped[SubjectKey] = relationship(lazy="raise")  # Joined where it is asked for.


class Event(Table):
    """What happened: one sealed row per entry of an account."""

    __tablename__ = "event"
    subject: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    leaf_index: Mapped[int] = mapped_column(BigInteger)
    box: Mapped[bytes]


class Leaf(Table):
    """One public leaf of the log, with the facts of its decision."""

    __tablename__ = "leaf"
    __table_args__ = (UniqueConstraint("cell", "label"),)
    cell: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    leaf_index: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    label: Mapped[bytes]
    entry: Mapped[bytes]
    facts: Mapped[bytes]


class Tile(Table):
    """A row of hashes of the tree."""

    __tablename__ = "tile"
    cell: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hashes: Mapped[bytes]


class Head(Table):
    """The end of the log, and the row that orders its writers."""

    __tablename__ = "head"
    cell: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    edge: Mapped[bytes]
    at: Mapped[datetime]
    platform: Mapped[bytes]
    mac: Mapped[bytes]


class Letter(Table):
    """A sealed notice on its way."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject_key.subject"))
    serial: Mapped[str] = mapped_column(unique=True)
    box: Mapped[bytes]


class UsedKey(Table):
    """An idempotency key that was used."""

    __tablename__ = "idempotency"
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    action_id: Mapped[str]
    used_at: Mapped[datetime]
    mac: Mapped[bytes]


class KeyOfPlatform(Table):
    """A platform's key: a MAC of its secret."""

    __tablename__ = "platform_key"
    id: Mapped[str] = mapped_column(primary_key=True)
    mac: Mapped[bytes]
    scopes: Mapped[list[str]]
    networks: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
