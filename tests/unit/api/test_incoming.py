"""A request as a signature is held against it: behind proxies, with and without a port."""

from typing import Any, cast

import pytest

from twinlock.api.message_signatures import IncomingRequest
from twinlock.api.request import StrictRequest
from twinlock.domain.message_signatures import RequestMessage

Headers = list[tuple[bytes, bytes]]


async def read(
    *hosts: str, origin: str = "https://twinlock.example", scheme: str = "http", path: str = "/v1/a"
) -> RequestMessage:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"body", "more_body": False}

    headers: Headers = [(b"Host", host.encode("latin-1")) for host in hosts]
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": scheme,
        "path": "/decoded",
        "raw_path": path.encode("latin-1"),
        "query_string": b"a=%20b",
        "headers": [(name.lower(), value) for name, value in headers],
        "state": {},
    }
    request = StrictRequest(cast("Any", scope), cast("Any", receive))
    return await IncomingRequest(request, origin=origin).read()


@pytest.mark.parametrize(
    ("host", "origin", "scheme", "seen"),
    [
        pytest.param(
            "twinlock.example",
            "https://twinlock.example",
            "http",
            ("https", "twinlock.example"),
            id="behind a proxy that ends TLS",
        ),
        pytest.param(
            "Twinlock.Example:443",
            "https://twinlock.example",
            "http",
            ("https", "twinlock.example"),
            id="with the usual port, in capitals",
        ),
        pytest.param(
            "twinlock.internal:8080",
            "https://twinlock.example",
            "http",
            ("http", "twinlock.internal:8080"),
            id="by another name",
        ),
        pytest.param(
            "twinlock.internal:443",
            "https://twinlock.example",
            "http",
            ("http", "twinlock.internal:443"),
            id="by another name, at a port that is not usual there",
        ),
        pytest.param(
            "twinlock.internal:443",
            "https://twinlock.example",
            "https",
            ("https", "twinlock.internal"),
            id="by another name, over TLS",
        ),
        pytest.param(
            "localhost:8080",
            "http://localhost:8080",
            "http",
            ("http", "localhost:8080"),
            id="on this machine",
        ),
        pytest.param(
            "localhost:80", "http://localhost", "http", ("http", "localhost"), id="at port 80"
        ),
        pytest.param(
            "evil.example", "https://twinlock.example", "http", ("http", "evil.example"), id="evil"
        ),
    ],
)
async def test_a_request_was_asked_by_this_scheme_and_name(
    host: str, origin: str, scheme: str, seen: tuple[str, str]
) -> None:
    message = await read(host, origin=origin, scheme=scheme)

    assert (message.scheme, message.authority) == seen


async def test_two_hosts_are_neither_of_them() -> None:
    message = await read("twinlock.example", "twinlock.example")

    assert message.authority == "twinlock.example,twinlock.example"
    assert (await read()).authority == ""


async def test_a_path_is_read_as_it_was_sent() -> None:
    message = await read("twinlock.example", path="/v1/%61/../b")

    assert (message.path, message.query, message.body) == ("/v1/%61/../b", "a=%20b", b"body")


async def test_an_unknown_scheme_has_no_usual_port() -> None:
    message = await read("twinlock.internal:443", scheme="other")

    assert message.authority == "twinlock.internal:443"
