"""python -m judder.integrate TERSER: writes everything that is made from the contract into this checkout.

TERSER: path of terser's bin/terser (npm). `make generate` installs it and names it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from judder.errors import InputError
from judder.integrate import codec, generate

ROOT = Path(__file__).parents[3]


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not (ROOT / generate.FOLDER).is_dir():
        print("usage: python -m judder.integrate TERSER, in a checkout of Judder; or: make generate", file=sys.stderr)
        return 1
    try:
        files = {
            **generate.files(),
            generate.CODEC: codec.shrink(codec.source(packed=True), Path(arguments[0])),
        }
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in files.items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{name}: {len(text.encode())} bytes")
    return 0


sys.exit(main(sys.argv[1:]))
