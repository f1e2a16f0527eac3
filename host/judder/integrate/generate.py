"""What a checkout holds of files that are made from the contract: path -> text. Nothing is written here.

judder.js itself is made by `codec.shrink`, which needs a program; its first line names the source it was made from.
"""

from __future__ import annotations

from judder.integrate import cddl, codec, grafana, record_schema, telegraf, ttn, wire_page

FOLDER = "host/integrations"
CODEC = f"{FOLDER}/judder.js"
TTN_FOLDER = f"{FOLDER}/ttn/vendor/judder"
READABLE_CODEC = f"{TTN_FOLDER}/{ttn.CODEC_FILE}"
TTN_CODEC = f"{TTN_FOLDER}/judder-codec.yaml"
CDDL = f"{FOLDER}/judder.cddl"
RECORD_SCHEMA = f"{FOLDER}/judder.schema.json"
WIRE_PAGE = "docs/wire.md"
DASHBOARDS = f"{FOLDER}/grafana"
TELEGRAF = f"{FOLDER}/telegraf/judder.conf"


def files() -> dict[str, str]:
    """Path in the checkout -> text, of all but judder.js."""
    return {
        READABLE_CODEC: codec.source(packed=False),
        TTN_CODEC: ttn.codec_definition(),
        CDDL: cddl.page(),
        RECORD_SCHEMA: record_schema.page(),
        WIRE_PAGE: wire_page.page(),
        TELEGRAF: telegraf.page(),
        **{f"{DASHBOARDS}/judder-{source.name}.json": grafana.page(source) for source in grafana.SOURCES},
    }
