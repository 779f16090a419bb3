"""The documentation page of the REST API: HTML made from its OpenAPI description, without scripts or other hosts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One route, as the page shows it.

    Attributes:
        id: Its operation id, which is also its anchor.
        method, path: Such as ``POST`` and ``/api/v1/search/sketch``.
        summary: What it does.
        parameters: Name, place, type and description of each parameter.
        request: Example of a JSON body, or the names of a form's fields; empty without a body.
        response: Example of a JSON response, or its media types.
        errors: Status codes of errors.
        command: A call with curl.
    """

    id: str
    method: str
    path: str
    summary: str
    parameters: list[dict[str, str]]
    request: str
    response: str
    errors: list[str]
    command: str


def docs_page(schema: dict[str, Any], base_url: str) -> str:
    """Return the page.

    Args:
        schema: The OpenAPI description.
        base_url: Address of the server, for the examples, without a slash at its end.
    """
    environment = Environment(
        loader=PackageLoader("sketchseek.server"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    tags = [
        (tag["name"], tag.get("description", ""), _operations(schema, tag["name"], base_url)) for tag in schema["tags"]
    ]
    return environment.get_template("api_docs.html").render(info=schema["info"], tags=tags)


def _operations(schema: dict[str, Any], tag: str, base_url: str) -> list[Operation]:
    return [
        _operation(schema, path, method, operation, base_url)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method in METHODS and tag in operation.get("tags", [])
    ]


def _operation(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any], base_url: str) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    success = next(answer for code, answer in operation["responses"].items() if code.startswith("2"))
    request = _example(schema, content)
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("description") or operation.get("summary", ""),
        parameters=[_parameter(one) for one in operation.get("parameters", [])],
        request=request or ", ".join(_fields(schema, content)),
        response=_example(schema, success.get("content", {})) or ", ".join(success.get("content", {})),
        errors=[code for code in operation["responses"] if code >= "4"],
        command=_command(path, method, content, request, operation.get("parameters", []), base_url),
    )


def _parameter(parameter: dict[str, Any]) -> dict[str, str]:
    kind = parameter["schema"]
    types = [one.get("type", "") for one in kind.get("anyOf", [kind])]
    return {
        "name": parameter["name"],
        "in": parameter["in"],
        "type": " or ".join(filter(None, types)),
        "description": parameter.get("description", ""),
    }


def _resolved(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Return a schema, or the one that it refers to. Of alternatives, the first."""
    if "anyOf" in value:
        value = value["anyOf"][0]
    if "$ref" in value:
        resolved: dict[str, Any] = schema["components"]["schemas"][value["$ref"].rpartition("/")[2]]
        return resolved
    return value


def _example(schema: dict[str, Any], content: dict[str, Any]) -> str:
    """Return the example of a JSON body; empty without one."""
    body = _resolved(schema, content.get("application/json", {}).get("schema", {}))
    examples = body.get("examples")
    return json.dumps(examples[0], ensure_ascii=False) if examples else ""


def _fields(schema: dict[str, Any], content: dict[str, Any]) -> list[str]:
    body = _resolved(schema, content.get("multipart/form-data", {}).get("schema", {}))
    return list(body.get("properties", {}))


def _command(
    path: str, method: str, content: dict[str, Any], request: str, parameters: list[dict[str, Any]], base_url: str
) -> str:
    for parameter in parameters:
        if parameter["in"] == "path":
            example = parameter.get("schema", {}).get("examples") or parameter.get("examples") or [1]
            value = example[0] if isinstance(example, list) else 1
            path = path.replace(f"{{{parameter['name']}}}", str(value))
    parts = ["curl"]
    if method != "get" and not content:
        parts.append(f"-X {method.upper()}")
    if "multipart/form-data" in content:
        parts.append("-F image=@cat.png")
    elif content:
        quoted = request.replace("'", "'\\''")
        parts.append(f"-H 'Content-Type: application/json' -d '{quoted}'")
    return " ".join([*parts, f"{base_url}{path}"])
