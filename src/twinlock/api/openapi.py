"""The OpenAPI document: as the framework makes it, with our own forms and our own errors in it.

The framework does not know how msgspec writes a struct (its tag, or as an array), nor that every
error is a problem of RFC 9457. Both are put right before the document is rendered.

Always true (tests/integration/test_api_schema.py): what a route answers fits what is said of it.
"""

import re
from collections.abc import Iterable, Mapping
from inspect import cleandoc
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin

from twinlock.api.problems import PROBLEM, Problem
from twinlock.api.request import JSON

_REF = "#/components/schemas/{name}"
_REFUSED = "A problem (RFC 9457). Its `code` is stable: docs/errors.md lists them all."


def render_plugins(
    handlers: Iterable[HTTPRouteHandler], *, refusing: Mapping[HTTPRouteHandler, type]
) -> list[OpenAPIRenderPlugin]:
    """Return what renders the document of ``handlers``, as JSON and as YAML.

    ``refusing`` are routes that others' standards have refuse in a form of their own too: which.
    Each is rendered once. Prevents: a stranger who asks ten times a second for what takes 100 ms,
    while nobody else is answered.
    """
    described = _Described(handlers, refusing)

    class AsJson(JsonRenderPlugin):
        kept = b""

        def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
            self.kept = self.kept or super().render(request, described.whole(openapi_schema))
            return self.kept

    class AsYaml(YamlRenderPlugin):
        kept = b""

        def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
            self.kept = self.kept or super().render(request, described.whole(openapi_schema))
            return self.kept

    return [AsJson(), AsYaml()]


def _value(hint: Any) -> Any:  # noqa: ANN401 - any type that a route may return
    """Return the type of what is sent: a route that sends in pieces returns a response of it."""
    return get_args(hint)[0] if get_origin(hint) is Response else hint


def _as_ecma(pattern: str) -> str:
    """Return a pattern of ours as JSON Schema has them: ECMA 262 knows no anchors but ^ and $.

    Prevents: a platform's validator that refuses what we take. Source: JSON Schema 2020-12, 6.4.
    """
    return pattern.replace(r"\A", "^").replace(r"\Z", "$")


def _places(handler: HTTPRouteHandler) -> list[tuple[str, str]]:
    """Return the paths and methods of a route, as the document has them."""
    return [
        (re.sub(r":\w+}", "}", path), method.lower())
        for path in handler.paths
        for method in handler.http_methods
    ]


class _Described:
    """What each operation takes and answers, by its path and method."""

    def __init__(
        self, handlers: Iterable[HTTPRouteHandler], refusing: Mapping[HTTPRouteHandler, type]
    ) -> None:
        hints = {
            place: get_type_hints(handler.fn) for handler in handlers for place in _places(handler)
        }
        forms = {
            (*place, name): _value(types[name])
            for place, types in hints.items()
            for name in ("data", "return")
            if types.get(name, NoneType) is not NoneType
        } | {
            (*place, "refusal"): form
            for handler, form in refusing.items()
            for place in _places(handler)
        }
        (self._problem, *schemas), self._components = msgspec.json.schema_components(
            (Problem, *forms.values()), ref_template=_REF
        )
        self._schemas = dict(zip(forms, schemas, strict=True))
        for form in self._components.values():
            if "description" in form:
                form["description"] = cleandoc(form["description"]).replace("``", "`")
            for one in form.get("properties", {}).values():
                if "pattern" in one:
                    one["pattern"] = _as_ecma(one["pattern"])

    def whole(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return ``document`` with these forms in place of the framework's."""
        paths = {
            path: {
                method: self._operation(path, method, operation)
                for method, operation in methods.items()
            }
            for path, methods in document["paths"].items()
        }
        components = {**document["components"], "schemas": self._components}
        return {**document, "paths": paths, "components": components}

    def _operation(self, path: str, method: str, found: dict[str, Any]) -> dict[str, Any]:
        body = self._schemas.get((path, method, "data"))
        answer = self._schemas.get((path, method, "return"))
        told = dict(found)
        if body is not None:
            told["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
        responses = {}
        for status, response in found["responses"].items():
            if status.startswith("2"):
                told_of = response.get("content") and answer is not None
                content = {JSON: {"schema": answer}} if told_of else {}
                responses[status] = {"description": "As asked.", "content": content}
        refused = {PROBLEM: {"schema": self._problem}}
        refusal = self._schemas.get((path, method, "refusal"))
        if refusal is not None:
            refused[JSON] = {"schema": refusal}
        responses["default"] = {"description": _REFUSED, "content": refused}
        return {**told, "responses": responses}
