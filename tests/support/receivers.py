"""Endpoints for tests: real servers on loopback that answer messages as a test says.

A receiver reads requests by itself, so that it can also answer as no decent server does: slowly,
with half an answer, with too much, or not at all.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from twinlock.adapters.system import SystemClock

Answer: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def value(self) -> dict[str, Any]:
        value: dict[str, Any] = msgspec.json.decode(self.body)
        return value

    def verified_by(self, secret: str) -> bool:
        """Say whether the standard's own library takes it, for its signature and nothing else."""
        webhook = Webhook(secret)
        at = _instant(self.headers["webhook-timestamp"])
        signed = webhook.sign(self.message_id, at, self.body.decode())
        return signed in self.headers["webhook-signature"].split(" ")


def _instant(seconds: str) -> Any:  # noqa: ANN401 - what the library asks for
    from datetime import UTC, datetime  # noqa: PLC0415 - its only use

    return datetime.fromtimestamp(int(seconds), UTC)


def status(code: int, *headers: str, body: bytes = b"") -> Answer:
    """Answer with a status, and keep the connection."""
    lines = [f"HTTP/1.1 {code} Said", *headers, f"content-length: {len(body)}", "", ""]

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return answer


def raw(data: bytes, *, end: str = "close") -> Answer:
    """Answer with bytes, then close, half-close, reset or stay silent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if end == "close":
            writer.close()
        elif end == "half":
            writer.write_eof()
            await reader.read()
        elif end == "reset":
            writer.transport.abort()
        else:
            await reader.read()  # Until the other side has had enough.

    return answer


def dripping(head: bytes, part: bytes, *, seconds: float = 0.05) -> Answer:
    """Answer without end, a little at a time."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(seconds)

    return answer


@dataclass
class Receiver:
    """A server: what it got, and what it answers: each of ``answers`` once, then ``otherwise``."""

    port: int = 0
    got: list[Received] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)
    otherwise: Answer = field(default_factory=lambda: status(204))
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hooks", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @property
    def ids(self) -> list[str]:
        return [one.message_id for one in self.got]

    @property
    def indexes(self) -> list[int]:
        return [one.value["data"]["index"] for one in self.got]

    async def wait_for(self, count: int, *, seconds: float = 20.0) -> None:
        """Return once so many requests came."""
        async with asyncio.timeout(seconds):
            while len(self.got) < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while await self._one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:-2])
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.got.append(Received(line=head[0], headers=headers, body=body, connection=number))
        self.arrived.set()
        answer = self.answers.popleft() if self.answers else self.otherwise
        await answer(reader, writer)
        return not writer.is_closing()


@asynccontextmanager
async def receiving(
    *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of loopback."""
    receiver, serving = Receiver(), set[asyncio.Task[None]]()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate authority of a test's own, and servers that it vouches for."""

    ca_file: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """Return what a server with a certificate for ``names`` serves with."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(
            key, issuer=self.certificate, signed_by=self.key, names=names, expired=expired
        )
        path = self.ca_file.with_name(f"server-{certificate.serial_number}.pem")
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def new_authority(directory: Path) -> Authority:
    """Make an authority, and the file by which it is trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, issuer=None, signed_by=key, names=(), expired=False)
    path = directory / "ca.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(ca_file=path, key=key, certificate=certificate)


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Certificate | None,
    signed_by: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    expired: bool,
) -> x509.Certificate:
    now = SystemClock().now()
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else "Test CA")])
    begins = now - timedelta(days=30)
    ends = now - timedelta(days=1) if expired else now + timedelta(days=30)
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key()),
            critical=False,
        )
    )
    if issuer is None:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    else:
        alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(signed_by, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
