"""JSON on stdout: sorted keys and ASCII only, so that two runs compare byte for byte wherever they are piped."""

from __future__ import annotations

import json

__all__ = ["json_text"]


def json_text(document: object, *, sort: bool = True) -> str:
    """Return a document as indented JSON text without a final line feed."""
    return json.dumps(document, indent=2, sort_keys=sort, ensure_ascii=True, allow_nan=False)
