"""A writer of small MaxMind DB files, by the format's specification, version 2.0.

Source: https://maxmind.github.io/MaxMind-DB/
"""

import ipaddress
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_IPV6_BITS, _IPV4_IN_IPV6 = 128, 96
_STRING, _DOUBLE, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY, _FLAG = 2, 3, 5, 6, 7, 9, 11, 14


def write(path: Path, records: Mapping[str, Any], *, version: int = 6) -> Path:
    """Write a file in which each network of ``records`` has its record; return ``path``.

    One of ``version`` 4 has no addresses of IPv6.
    """
    tree: list[list[int | None]] = [[None, None]]
    data = b""
    for network, record in records.items():
        _insert(tree, network, len(data), version=version)
        data += _encoded(record)
    nodes = len(tree)
    body = b"".join(_node(left, right, nodes) for left, right in tree)
    told = {
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1_790_000_000),
        "database_type": "Test",
        "description": {"en": "for tests"},
        "ip_version": (_UINT16, version),
        "languages": ["en"],
        "node_count": (_UINT32, nodes),
        "record_size": (_UINT16, 32),
    }
    path.write_bytes(body + b"\0" * 16 + data + _MARKER + _encoded(told))
    return path


def _insert(tree: list[list[int | None]], network: str, at: int, *, version: int) -> None:
    found = ipaddress.ip_network(network)
    whole = _IPV6_BITS if version == 6 else _IPV6_BITS - _IPV4_IN_IPV6
    bits = found.prefixlen + whole - found.max_prefixlen
    address = int(found.network_address)
    node = 0
    for depth in range(bits):
        side = address >> (whole - 1 - depth) & 1
        if depth == bits - 1:
            tree[node][side] = -1 - at  # A record, told from a node by its sign.
            return
        following = tree[node][side]
        if following is None:
            tree.append([None, None])
            following = tree[node][side] = len(tree) - 1
        node = following


def _node(left: int | None, right: int | None, nodes: int) -> bytes:
    def value(side: int | None) -> int:
        if side is None:
            return nodes
        return side if side >= 0 else nodes + 16 + (-1 - side)

    return struct.pack(">II", value(left), value(right))


def _control(kind: int, size: int) -> bytes:
    assert size < 29, "values of tests are short"
    if kind > 7:
        return bytes([size, kind - 7])
    return bytes([kind << 5 | size])


def _encoded(value: Any) -> bytes:  # noqa: ANN401 - any JSON
    match value:
        case bool():
            return _control(_FLAG, int(value))
        case (int() as kind, int() as number):
            raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
            return _control(kind, len(raw)) + raw
        case int():
            return _encoded((_UINT32, value))
        case float():
            return _control(_DOUBLE, 8) + struct.pack(">d", value)
        case str():
            raw = value.encode()
            return _control(_STRING, len(raw)) + raw
        case dict():
            inner = b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
            return _control(_MAP, len(value)) + inner
        case _:
            return _control(_ARRAY, len(value)) + b"".join(map(_encoded, value))
