"""A real Chromium, a virtual authenticator in it, and the service with its pages on loopback."""

import asyncio
import gzip
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import uvicorn
from litestar import Litestar
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright
from support.service import Customer, Service

from twinlock.api.app import create_app
from twinlock.api.serving import Api
from twinlock.bootstrap.serving import page_routes
from twinlock.domain.answers import Answered
from twinlock.domain.ids import tail
from twinlock.domain.letters import Letter

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[1] / "e2e" / "axe" / "axe.min.js.gz"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# As a page of the relying party would do it; this stands on no page of ours.
REGISTER = """
async ({ challenge, rpId, userId }) => {
  const bytes = (text) => Uint8Array.from(
    atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const made = await navigator.credentials.create({ publicKey: {
    challenge: bytes(challenge),
    rp: { id: rpId, name: "Twinlock" },
    user: { id: bytes(userId), name: "customer", displayName: "customer" },
    pubKeyCredParams: [{ type: "public-key", alg: -7 }],
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  }});
  return made.toJSON();
}
"""


@cache
def axe() -> str:
    """Return the program that checks a page's accessibility."""
    return gzip.decompress(AXE.read_bytes()).decode("utf-8")


def with_pages(service: Service) -> Litestar:
    """Return an application with pages, on the use cases that ``service`` runs already."""

    @asynccontextmanager
    async def opens() -> AsyncIterator[Api]:
        yield service.api

    pages = page_routes(service.settings)
    return create_app(opens, pages=(pages,))


_idle: dict[str, list[Litestar]] = {}  # Applications with pages that nobody looks at, by origin.


@contextmanager
def lent_pages(service: Service) -> Iterator[Litestar]:
    """Lend such an application, without starting it: making one takes a third of a second."""
    apps = _idle.setdefault(service.settings.origin, [])
    app = apps.pop() if apps else with_pages(service)
    app.state.api = service.api
    try:
        yield app
    finally:
        apps.append(app)


def free_port() -> socket.socket:
    """Return a socket on loopback whose port nobody else has."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


@asynccontextmanager
async def listening(app: Litestar, on: socket.socket) -> AsyncIterator[None]:
    """Serve ``app`` by uvicorn, as ``twinlock serve`` does."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[on]))
    while not server.started:
        if serving.done():
            serving.result()
        await asyncio.sleep(0)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start Debian's Chromium."""
    if not os.access(CHROMIUM, os.X_OK):
        raise RuntimeError("The pages are tested in a real browser: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(ARGUMENTS), headless=True
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visitor:
    """A person at a browser with an authenticator inside; ``errors`` are what its console said."""

    origin: str
    context: BrowserContext
    page: Page
    devtools: CDPSession
    errors: list[str]
    authenticator: str = ""

    async def open(self, path: str) -> int:
        """Open a page of the service; return its status."""
        answer = await self.page.goto(f"{self.origin}{path}")
        assert answer is not None
        return answer.status

    async def add_authenticator(self, *, transport: str = "internal") -> str:
        """Plug a virtual authenticator in, which knows its person; return its name.

        What is built in is synced, as a phone's passkeys are.
        """
        synced = transport == "internal"
        options = {
            "defaultBackupEligibility": synced,
            "defaultBackupState": synced,
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
        }
        added = await self.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.authenticator = added["authenticatorId"]
        return self.authenticator

    async def second_tab(self) -> "Visitor":
        """Open another tab, in which the same passkeys answer."""
        other = await _visitor(self.context, self.origin)
        held = await self.devtools.send(
            "WebAuthn.getCredentials", {"authenticatorId": self.authenticator}
        )
        for credential in held["credentials"]:
            await other.devtools.send(
                "WebAuthn.addCredential",
                {"authenticatorId": other.authenticator, "credential": credential},
            )
        return other

    async def set_verified(self, *, verified: bool) -> None:
        """Say whether the authenticator will recognise its person from now on."""
        await self.devtools.send(
            "WebAuthn.setUserVerified",
            {"authenticatorId": self.authenticator, "isUserVerified": verified},
        )

    async def set_present(self, authenticator: str, *, present: bool) -> None:
        """Say whether somebody touches an authenticator when it blinks."""
        await self.devtools.send(
            "WebAuthn.setAutomaticPresenceSimulation",
            {"authenticatorId": authenticator, "enabled": present},
        )

    async def text(self) -> str:
        """Return what the page shows, its white space evened out."""
        return " ".join((await self.page.inner_text("main")).split())

    async def faults(self) -> list[str]:
        """Return what axe finds against WCAG 2.2 AA and its best practices, by rule and place."""
        await self.page.evaluate(axe())
        # What passes is not described, node by node: on a long page that takes as long as looking.
        found = await self.page.evaluate(
            "axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)"
        )
        return [
            f"{fault['id']}: {node['html'][:100]}" for fault in found for node in fault["nodes"]
        ]

    async def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        width = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return int(width)


@asynccontextmanager
async def visiting(browser: Browser, origin: str, **options: Any) -> AsyncIterator[Visitor]:  # noqa: ANN401 - as Playwright takes them
    """Open a fresh browser profile with an authenticator."""
    context = await browser.new_context(**options)
    try:
        yield await _visitor(context, origin)
    finally:
        await context.close()


async def _visitor(context: BrowserContext, origin: str) -> Visitor:
    page = await context.new_page()
    devtools = await context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable", {})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    visitor = Visitor(origin=origin, context=context, page=page, devtools=devtools, errors=errors)
    await visitor.add_authenticator()
    return visitor


async def veto_links(service: Service, action_id: str) -> list[str]:
    """Return the paths of the links that the notices about an action held."""
    await service.deliver()
    origin = service.settings.origin
    return [
        letter.link.removeprefix(origin)
        for letter in letters(service)
        if letter.action_id == action_id and letter.link.startswith(f"{origin}/veto/")
    ]


def letters(service: Service) -> list[Letter]:
    """Return the messages that went out, in their order."""
    paths = sorted(service.settings.outbox_dir.iterdir())
    return [msgspec.json.decode(path.read_bytes(), type=Letter) for path in paths]


@dataclass
class Web:
    """The pages over HTTP, as a browser on our own page sends requests."""

    service: Service
    http: httpx.AsyncClient

    @property
    def origin(self) -> str:
        return self.service.settings.origin

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def form(self, path: str, **fields: str) -> httpx.Response:
        """Send a form, from a page of its own where ``page`` names none."""
        named = {"page": tail(os.urandom(16)), **fields}
        return await self.http.post(path, data=named, headers={"Origin": self.origin})

    async def json(self, path: str, body: object) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"Origin": self.origin})

    async def confirm(self, customer: Customer, action_id: str) -> httpx.Response:
        """Sign an action as the page's script does."""
        asked = await self.json(f"/confirm/{action_id}/challenge", {"factor": "passkey"})
        assert asked.status_code == 200, asked.text
        question = asked.json()
        ceremony = customer.ceremony(question["options"]["challenge"])
        answer = {
            "challenge_id": question["challenge_id"],
            "response": customer.passkey.get(ceremony),
        }
        return await self.json(f"/confirm/{action_id}/assertion", answer)


def reach(app: Litestar, *, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """Return a client of ``app`` in this process, which comes from ``address``."""
    # Litestar types its ASGI call more narrowly than httpx.
    transport = httpx.ASGITransport(
        cast("Any", app), client=(address, 1), raise_app_exceptions=False
    )
    return httpx.AsyncClient(transport=transport, base_url="http://pages")


@asynccontextmanager
async def browsing(service: Service) -> AsyncIterator[Web]:
    """Give the pages of ``service`` over HTTP, without a browser."""
    with lent_pages(service) as app:
        async with reach(app) as http:
            yield Web(service=service, http=http)


class BrowserCustomer(Customer):
    """A customer whose passkey lives in a browser."""

    def __init__(self, service: Service, name: str, visitor: Visitor) -> None:
        super().__init__(service, name)
        self.visitor = visitor

    async def bind_passkey(self) -> Answered:
        """Make a passkey in the browser, on our origin, and bind it over the API."""
        offered = await self.client.offer(self.account_id, "passkey")
        await self.visitor.open("/health/live")  # Ours, and under no permissions policy.
        response = await self.visitor.page.evaluate(
            REGISTER,
            {
                "challenge": offered["challenge"],
                "rpId": self.service.settings.rp_id,
                "userId": offered["user_id"],
            },
        )
        return await self.propose(
            "authenticator.bind",
            {
                "authenticator": "passkey",
                "candidate_id": offered["candidate_id"],
                "response": response,
            },
        )

    async def with_passkey(self, action_id: str) -> Answered:
        """Confirm an action on its page, and return how it stands then."""
        await self.visitor.open(f"/confirm/{action_id}")
        await self.press_passkey()
        return await self.client.action(action_id)

    async def press_passkey(self) -> None:
        """Press the button, and wait for the page that tells the outcome."""
        async with self.visitor.page.expect_navigation():
            await self.visitor.page.get_by_role("button", name="Confirm with a passkey").click()
