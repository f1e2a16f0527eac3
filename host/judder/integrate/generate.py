"""What a checkout holds of files that are made from the contract: path -> text. Nothing is written here.

judder.js itself is made by `codec.shrink`, which needs a program; its first line names the source it was made from.
"""

from __future__ import annotations

from judder.integrate import cddl, codec, record_schema, wire_page

FOLDER = "host/integrations"
CODEC = f"{FOLDER}/judder.js"
READABLE_CODEC = f"{FOLDER}/ttn/vendor/judder/judder-codec.js"
CDDL = f"{FOLDER}/judder.cddl"
RECORD_SCHEMA = f"{FOLDER}/judder.schema.json"
WIRE_PAGE = "docs/wire.md"


def files() -> dict[str, str]:
    """Path in the checkout -> text, of all but judder.js."""
    return {
        READABLE_CODEC: codec.source(packed=False),
        CDDL: cddl.page(),
        RECORD_SCHEMA: record_schema.page(),
        WIRE_PAGE: wire_page.page(),
    }
