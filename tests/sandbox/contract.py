"""Checks answers against PortOne's official OpenAPI documents, and counts what was checked.

The documents are not part of this project: PORTONE_OPENAPI_DIR names the folder that holds
v1.openapi.json (Swagger 2.0) and v2.openapi.json (OpenAPI 3.0).
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

# The package carries no types, and its stubs are not among the locked packages.
from jsonschema import Draft7Validator, FormatChecker  # type: ignore[import-untyped]

Json = dict[str, Any]
Reached = tuple[str, str, str, int]  # version, method, path template, status

_FORMATS = FormatChecker(formats=())


def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


_FORMATS.checks("date-time", raises=ValueError)(_is_moment)


def folder() -> Path:
    """Where the documents are; skips the test when nobody said."""
    named = os.environ.get("PORTONE_OPENAPI_DIR")
    if not named:
        pytest.skip("PORTONE_OPENAPI_DIR does not name PortOne's OpenAPI documents")
    return Path(named)


def _readable(schema: Any) -> Any:
    """The schema as JSON Schema: discriminated unions decided, slips of the pen mended."""
    if isinstance(schema, list):
        return [_readable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    mended = {name: _readable(value) for name, value in schema.items()}
    if isinstance(mended.get("maxLength"), str):  # V1 writes some limits as text
        mended["maxLength"] = int(mended["maxLength"])
    if "oneOf" in mended and "discriminator" in mended:
        return _decided(mended)
    if "oneOf" in mended:  # without a discriminator its members overlap
        mended["anyOf"] = mended.pop("oneOf")
    return mended


def _decided(union: Json) -> Json:
    """One member, chosen by the discriminator; an unknown value fits none."""
    name, mapping = union["discriminator"]["propertyName"], union["discriminator"]["mapping"]
    branches = [
        {"if": {"properties": {name: {"const": value}}}, "then": {"$ref": target}}
        for value, target in mapping.items()
    ]
    known = {"properties": {name: {"enum": list(mapping)}}, "required": [name]}
    return {"allOf": [known, *branches]}


@dataclass
class Document:
    """One version's document."""

    version: str
    raw: Json
    checked: set[Reached] = field(default_factory=set)

    @classmethod
    def load(cls, version: str) -> "Document":
        """Read a version's document."""
        text = (folder() / f"{version.lower()}.openapi.json").read_text()
        return cls(version, json.loads(text))

    def __post_init__(self) -> None:
        self._root = _readable(
            {k: self.raw[k] for k in ("definitions", "components") if k in self.raw}
        )
        self._operations = list(self._list_operations())

    def _list_operations(self) -> Iterator[tuple[str, str, re.Pattern[str], Json]]:
        # Fixed words win over parameters: /payments/prepare is no imp_uid.
        for template in sorted(self.raw["paths"], key=lambda path: (path.count("{"), path)):
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            if template.endswith("/{payment_status}") and "status/" not in template:
                pattern = pattern.removesuffix("/[^/]+") + "(/[^/]+)?"  # may be left out
            for method, operation in self.raw["paths"][template].items():
                if method in ("get", "post", "put", "patch", "delete"):
                    yield method.upper(), template, re.compile(pattern), operation

    def find(self, method: str, path: str) -> tuple[str, str, Json] | None:
        """The documented operation that a call belongs to, or comes nearest to (405)."""
        found = [(m, t, o) for m, t, p, o in self._operations if p.fullmatch(path)]
        exact = [one for one in found if one[0] == method]
        return next(iter(exact or found), None)

    def schema_of(self, operation: Json, status: int) -> Json | None:
        """What an answer must be; None where the document does not know the status."""
        answer = operation["responses"].get(str(status))
        if answer is None:
            return None
        if self.version == "V1":
            return dict(answer.get("schema", {"$ref": "#/definitions/ResponseAnnotation"}))
        return dict(answer["content"]["application/json"]["schema"])

    def errors(self, schema: Json, value: object) -> list[str]:
        """Where a value is not what a schema says."""
        whole = {**self._root, "allOf": [_readable(schema)]}
        validator = Draft7Validator(whole, format_checker=_FORMATS)
        return [
            f"{'/'.join(map(str, e.path))}: {e.message[:300]}" for e in validator.iter_errors(value)
        ]


class Contract:
    """Both documents, and every answer that was checked against them."""

    def __init__(self) -> None:
        self.documents = {version: Document.load(version) for version in ("V1", "V2")}
        self.answers = 0
        self.reached: set[Reached] = set()

    def check(self, response: httpx.Response) -> None:
        """An httpx hook: fail when an answer is not as documented."""
        request = response.request
        path = request.url.raw_path.decode().partition("?")[0]
        document = self.documents.get(path[1:3].upper())
        found = document.find(request.method, path[3:]) if document else None
        if document is None or found is None or response.status_code in (429, 500, 501):
            return  # the control panel, unknown paths, errors that a fault asked for, not played
        if request.method == "HEAD":
            return  # no body
        response.read()
        if response.headers["content-type"].startswith("text/html"):
            return  # garbage, asked for
        value = response.json()
        if value.get("type") == "IDEMPOTENCY_OUTSTANDING_REQUEST":
            return  # documented in words alone
        method, template, operation = found
        where = f"{request.method} {unquote(path)} → {response.status_code}"
        schema = document.schema_of(operation, response.status_code)
        if schema is None and response.status_code == 405:
            return  # a method that the document does not have, either
        assert schema is not None, f"{where} is not documented: {response.text}"
        problems = document.errors(schema, value)
        assert not problems, f"{where}: {problems} in {response.text}"
        self.answers += 1
        self.reached.add((document.version, method, template, response.status_code))
