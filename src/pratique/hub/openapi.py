"""The OpenAPI 3.1 document of the API, made from the table of endpoints."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from pratique import __version__
from pratique.hub.endpoint import Endpoint
from pratique.hub.problems import Problem
from pratique.hub.sessions import Role

_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "What happens on this host. Times are seconds since the epoch, UTC. Lists come a page at a time: repeat the "
    "request with `cursor` set to `next` until that is empty."
)
_ERRORS: Final = {
    "400": "What is asked cannot be",
    "401": "Nobody is logged in, or the token is not known",
    "403": "The caller may not do this",
    "429": "Too many requests",
    "503": "The store cannot be read now",
}
_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}


def openapi(endpoints: Iterable[Endpoint], prefix: str) -> dict[str, Any]:
    """Return the document.

    :param prefix: the path that all endpoints are below
    """
    table = list(endpoints)
    kinds = [kind for endpoint in table for kind in (endpoint.ask, endpoint.answer)]
    schemas, components = msgspec.json.schema_components([*kinds, Problem], ref_template=_REF)
    schema_of = dict(zip([*kinds, Problem], schemas, strict=True))
    asks = {endpoint.ask.__name__ for endpoint in table}
    paths: dict[str, Any] = {}
    for endpoint in table:
        ask = components[endpoint.ask.__name__]
        operation = _operation(endpoint, ask, schema_of[endpoint.answer])
        paths.setdefault(prefix + endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pratique", "version": __version__, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in asks},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "'pratique console token create'"}
            },
        },
        "security": [{"token": []}],
    }


def _operation(endpoint: Endpoint, ask: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    needed = " Needs the role operator." if endpoint.role is Role.OPERATOR else ""
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "description": f"{endpoint.summary}.{needed}",
        "parameters": [
            _parameter(name, schema, in_path=name in endpoint.in_path, required=name in ask.get("required", ()))
            for name, schema in ask.get("properties", {}).items()
            if endpoint.method == "GET" or name in endpoint.in_path
        ],
        "responses": {
            "200": {"description": "The answer", "content": {"application/json": {"schema": answer}}},
            **{status: {"description": why, "content": _PROBLEM} for status, why in _ERRORS.items()},
        },
    }
    if endpoint.in_path:
        operation["responses"]["404"] = {"description": "There is no such thing", "content": _PROBLEM}
    if endpoint.method == "POST":
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _body(endpoint, ask)}}}
    return operation


def _parameter(name: str, schema: dict[str, Any], *, in_path: bool, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path" if in_path else "query",
        "required": in_path or required,
        "schema": schema,
        **({"description": schema["description"]} if "description" in schema else {}),
    }


def _body(endpoint: Endpoint, ask: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a body: what is asked, less what the path says."""
    properties = {name: schema for name, schema in ask["properties"].items() if name not in endpoint.in_path}
    required = [name for name in ask.get("required", ()) if name in properties]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _operation_id(endpoint: Endpoint) -> str:
    parts = [part.strip("{}") for part in endpoint.path.replace("-", "/").split("/") if part]
    return "_".join([endpoint.method.lower(), *parts])
