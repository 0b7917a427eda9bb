"""Signed notes and verifier keys: text that keys have signed, one line a signature.

Always true (tests/property/test_log_properties.py):

* a note that was parsed is written again byte for byte;
* text and signatures part at the last empty line, and what was signed is the text with its LF.

Nothing here is verified: a parsed note's text may be trusted only after ``twinlock.proofs.notes``
has checked it. Source: C2SP signed-note v1.0.0.
"""

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum

from twinlock.domain.errors import MalformedError, invariant
from twinlock.domain.log.text import check_name, from_base64, to_base64, to_lines

MAX_NOTE_BYTES = 1_000_000  # A hundred post-quantum signatures of 5 kB, in base64, and some text.
MAX_SIGNATURES = 100  # The standard asks for at least 16.
KEY_ID_BYTES = 4
ED25519_KEY_BYTES = 32

_DASH = "— "  # U+2014 and a space

# The y coordinates, sign bit cleared, of the points of small order. Anyone can sign under such a
# "key". Source: the list of libsodium's ge25519_has_small_order.
_FIELD_PRIME = 2**255 - 19
_SMALL_ORDER_Y = frozenset(
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


class KeyType(IntEnum):
    """The byte that says how a key signs. ML-DSA-44 (0x06) is not read: its lines are ignored."""

    ED25519 = 0x01
    ED25519_COSIGNATURE = 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key under its name. ``public_key`` has 32 bytes, ``key_id`` 4.

    ``str()`` gives the vkey: name, id in hex and base64(type ‖ public key), joined by ``+``.

    Raises:
        MalformedError: the name cannot name a key, or nobody can hold the private key.
    """

    name: str
    key_type: KeyType
    public_key: bytes
    key_id: bytes = field(init=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        _refuse_weak_key(self.public_key)
        named = self.name.encode("utf-8") + b"\n" + self._typed_key()
        object.__setattr__(self, "key_id", hashlib.sha256(named).digest()[:KEY_ID_BYTES])

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(self._typed_key())}"

    def _typed_key(self) -> bytes:
        return bytes((self.key_type,)) + self.public_key


def _refuse_weak_key(public_key: bytes) -> None:
    """Prevents: a witness or log "key" under which anyone can make signatures that verify."""
    if len(public_key) != ED25519_KEY_BYTES:
        raise MalformedError("an Ed25519 key has 32 bytes")
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    if y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:
        raise MalformedError("an Ed25519 key is not canonical or of small order")


def parse_vkey(text: str) -> VerifierKey:
    """Return the key of ``<name>+<8 hex digits>+<base64(type ‖ public key)>``.

    Raises:
        MalformedError: another form, an id that is not the key's own, or a type not read here.
    """
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")  # Base64 may hold more of them.
    if not encoded:
        raise MalformedError("not a key: one reads <name>+<8 hex digits>+<base64>, in one word")
    typed_key = from_base64(encoded)
    try:
        key_type = KeyType(typed_key[0])
    except (IndexError, ValueError) as error:
        raise MalformedError("a key of a type not read here") from error
    key = VerifierKey(name=name, key_type=key_type, public_key=typed_key[1:])
    if key_id != key.key_id.hex():
        raise MalformedError("a key's id is not its own")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureLine:
    """What one key says: ``— <name> <base64(key id ‖ signature)>``."""

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        invariant(len(self.key_id) == KEY_ID_BYTES, "a key id has 4 bytes")

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}"


def parse_signature_line(line: str) -> SignatureLine:
    """Return the signature of one line, given without its LF.

    Raises:
        MalformedError: another form, or nothing after the key id.
    """
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise MalformedError("not a signature line")
    data = from_base64(encoded)
    if len(data) <= KEY_ID_BYTES:
        raise MalformedError("a signature line without a signature")
    key_id, signature = data[:KEY_ID_BYTES], data[KEY_ID_BYTES:]
    return SignatureLine(name=name, key_id=key_id, signature=signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """A text ending in LF and 1 to 100 signature lines; nothing says yet that they verify."""

    text: bytes
    signatures: tuple[SignatureLine, ...]

    def __post_init__(self) -> None:
        invariant(self.text.endswith(b"\n"), "a note's text ends in LF")
        invariant(1 <= len(self.signatures) <= MAX_SIGNATURES, "a note has 1 to 100 signatures")

    def encode(self) -> bytes:
        """Return the note's bytes: text, an empty line, the signature lines."""
        lines = "".join(f"{line}\n" for line in self.signatures)
        return self.text + b"\n" + lines.encode("utf-8")


def parse_note(data: bytes) -> SignedNote:
    """Return the note that ``data`` is; its signatures are still to be verified.

    Raises:
        MalformedError: over 1 MB or 100 signatures, not UTF-8, a control character other than LF,
            no empty line, or a signature line of another form.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise MalformedError("a note is too long")
    text, empty_line, block = data.rpartition(b"\n\n")
    if not empty_line:
        raise MalformedError("a note has no signatures")
    text += b"\n"
    to_lines(text)  # Refuses what is no text; its lines are for others to read.
    lines = to_lines(block)
    if len(lines) > MAX_SIGNATURES:
        raise MalformedError("a note has too many signatures")
    return SignedNote(text=text, signatures=tuple(map(parse_signature_line, lines)))
