"""What an editor makes of the published schema: `yaml-language-server` is asked, over its own protocol.

Skipped where the server is not installed; `npm install yaml-language-server` gives one, and its path goes into
HEDGEROW_YAML_LANGUAGE_SERVER (or onto PATH).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCHEMA = Path(__file__).parent.parent / "schemas" / "spec.v1.schema.json"
SERVER = os.environ.get("HEDGEROW_YAML_LANGUAGE_SERVER") or shutil.which("yaml-language-server")

pytestmark = pytest.mark.skipif(
    SERVER is None,
    reason="no yaml-language-server on PATH or in HEDGEROW_YAML_LANGUAGE_SERVER",
)

BROKEN = """\
hedgerow: 1
name: broken
unit: [USD]
params:
  k: {default: 8, rnage: [6, 10]}
machine:
  initial: on
  states:
    on:
      on:
        tick: {name: up, do: {sell: {long: 1}}}
      tags: loud
windows:
  returns: {of: price, on: tick, length: many, until_full: skip}
"""
"""Mistakes on the lines 3 and 5 (unknown key), 11 (unknown step), 12 (no list), 14 (no whole number)."""

UNFINISHED = """\
hedgerow: 1
name: unfinished
machine:
  initial: on
  states:
    on:
      on:
        tick:
          - name: up
            \n"""


class Server:
    """One language server with one open file, spoken to in JSON-RPC (Language Server Protocol 3.17)."""

    def __init__(self, folder: Path) -> None:
        assert SERVER is not None
        self.process = subprocess.Popen(
            [SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
        )
        self.uri = (folder / "spec.yaml").as_uri()
        self.requests = 0
        self.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}})
        self.tell("initialized", {})

    def open(self, text: str) -> None:
        """Open a spec below the line that names its schema: the lines of `text` count from 1 then."""
        text = f"# yaml-language-server: $schema={SCHEMA.as_uri()}\n{text}"
        document = {"uri": self.uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})

    def diagnostics(self) -> list[dict[str, Any]]:
        while True:
            message = self.read()
            if message.get("method") == "textDocument/publishDiagnostics":
                found: list[dict[str, Any]] = message["params"]["diagnostics"]
                return found

    def at(self, method: str, line: int, column: int) -> Any:
        place = {"textDocument": {"uri": self.uri}, "position": {"line": line, "character": column}}
        return self.ask(method, place)

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self.requests += 1
        self.write({"id": self.requests, "method": method, "params": params})
        while True:
            message = self.read()
            if message.get("id") == self.requests and "method" not in message:
                return message["result"]

    def tell(self, method: str, params: dict[str, Any]) -> None:
        self.write({"method": method, "params": params})

    def write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """Return the next message; the server's questions for settings are answered with none."""
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the language server has ended"
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        if "id" in message and "method" in message:
            items = message.get("params", {}).get("items")
            self.write({"id": message["id"], "result": items and [None] * len(items)})
        return message

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    yield running
    running.close()


def test_mistakes_are_shown_on_their_lines(server: Server) -> None:
    server.open(BROKEN)
    found = {each["range"]["start"]["line"]: each["message"] for each in server.diagnostics()}
    assert sorted(found) == [3, 5, 11, 12, 14]
    assert found[3] == "Property unit is not allowed."
    assert found[5] == "Property rnage is not allowed."


def test_a_shipped_spec_has_no_mistakes(server: Server) -> None:
    server.open((SCHEMA.parent.parent / "specs" / "band_limited_hedge.yaml").read_text("utf-8"))
    assert server.diagnostics() == []


@pytest.mark.parametrize(
    ("line", "column", "told"),
    [(1, 2, "the version of the language"), (4, 2, "constants of one run"), (11, 16, "its name in traces")],
)
def test_a_key_under_the_pointer_is_described(server: Server, line: int, column: int, told: str) -> None:
    server.open(BROKEN)
    server.diagnostics()
    assert told in json.dumps(server.at("textDocument/hover", line, column))


def test_keys_that_can_stand_here_are_offered(server: Server) -> None:
    server.open(UNFINISHED)
    server.diagnostics()
    offered = {each["label"] for each in server.at("textDocument/completion", 10, 12)["items"]}
    assert {"if", "to", "do", "about"} <= offered
    assert "name" not in offered
