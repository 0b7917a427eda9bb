"""Templates, static files, and the headers under which every page leaves.

Always true (tests/integration/test_web_refusals.py): every page forbids script and style from
anywhere but here, framing by anybody, being kept, and telling its address to others; the name of a
static file is made from its content.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from litestar import Response

from twinlock.domain.assurance import Factor
from twinlock.domain.ids import tail
from twinlock.ports import (
    Entropy,
)
from twinlock.web import words
from twinlock.web.refusals import Refusal

HERE = Path(__file__).parent
STATIC = "/static"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_DIGEST_LENGTH = 16  # Hexadecimal digits: two files of ours never share them.
_SELF = ("script-src", "style-src", "img-src", "connect-src", "form-action")
_NONE = ("default-src", "frame-ancestors", "base-uri")
_POLICY = "; ".join((*(f"{one} 'none'" for one in _NONE), *(f"{one} 'self'" for one in _SELF)))
# Everything that a page here could ask a device for and does not, and the two things it does.
_NEVER = (
    "accelerometer",
    "camera",
    "clipboard-read",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "serial",
    "usb",
)
_OWN = ("publickey-credentials-create", "publickey-credentials-get")
_PERMISSIONS = ", ".join((*(f"{one}=(self)" for one in _OWN), *(f"{one}=()" for one in _NEVER)))
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": _PERMISSIONS,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
TWO_YEARS_SECONDS = 63_072_000
RETRY_SECONDS = 60
_COME_BACK = (429, 503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One static file under the name that its content gives it."""

    name: str
    content: bytes
    media_type: str


def _assets() -> dict[str, Asset]:
    """Return the static files by their plain names."""
    found = {}
    for path in sorted((HERE / "static").iterdir()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]
        name = f"{path.stem}.{digest}{path.suffix}"
        media_type = _MEDIA_TYPES[path.suffix]
        found[path.name] = Asset(name=name, content=content, media_type=media_type)
    return found


class Renderer:
    """Makes every response of the pages; ``origin`` is the one at which people prove.

    Each page has a name of its own, which its forms send along (``forms.once``).
    """

    def __init__(self, origin: str, *, entropy: Entropy) -> None:
        self.origin = origin
        self._entropy = entropy
        assets = _assets()
        self._by_name = {asset.name: asset for asset in assets.values()}
        self._headers = dict(_HEADERS)
        if origin.startswith("https://"):
            self._headers["Strict-Transport-Security"] = f"max-age={TWO_YEARS_SECONDS}"
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            auto_reload=False,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
        self._templates.filters.update(
            dollars=words.dollars,
            groups=words.groups,
            how_long=words.how_long,
            is_amount=words.is_amount,
            not_before=words.not_before,
            thousands=words.thousands,
            visible=words.visible,
            when=words.when,
        )
        self._templates.globals.update(
            Factor=Factor,
            host=urlsplit(origin).netloc,
            origin=origin,
            static={name: f"{STATIC}/{asset.name}" for name, asset in assets.items()},
        )

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response[str]:  # noqa: ANN401 - whatever the template asks for
        """Return one page."""
        own = tail(self._entropy.draw(16))
        text = self._templates.get_template(template).render(page=own, **values)
        return Response(
            text,
            status_code=status,
            headers=self._headers_of(status),
            media_type="text/html",
        )

    def _headers_of(self, status: int) -> dict[str, str]:
        later = {"Retry-After": str(RETRY_SECONDS)} if status in _COME_BACK else {}
        return {**self._headers, **later}

    def refuse(self, refusal: Refusal) -> Response[str]:
        """Return a page of refusal."""
        return self.page("refusal.html", status=refusal.status, refusal=refusal)

    def json(
        self, value: object, *, status: int = 200, media_type: str = "application/json"
    ) -> Response[object]:
        """Return what a script of ours asked for."""
        headers = self._headers_of(status)
        return Response(value, status_code=status, headers=headers, media_type=media_type)

    def elsewhere(self, path: str) -> Response[str]:
        """Send the browser to another page of ours, to be read and not sent again."""
        headers = {**self._headers, "Location": path}
        return Response("", status_code=303, headers=headers, media_type="text/plain")

    def static(self, name: str) -> Response[bytes] | None:
        """Return a static file by the name that holds its digest, or None."""
        asset = self._by_name.get(name)
        if asset is None:
            return None
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(asset.content, headers=headers, media_type=asset.media_type)
