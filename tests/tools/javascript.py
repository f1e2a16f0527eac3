"""Scripts run by Node, QuickJS and Duktape: the engines network servers have, or are kin to those.

    ENGINES["node"](script, [("decodeUplink", {"bytes": [130, 1, 0]}), ...]) -> [{"data": {...}}, ...]

Each call gets its input as JSON gives it, and its answer is what JSON.stringify makes of it. Unavailable where an
engine is missing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.tools.npm_packages import Unavailable

Call = tuple[str, dict[str, Any]]

_TIMEOUT_S = 300
# Answers in ASCII: Duktape writes surrogates as they are.
_RUN = """
;(function (functions, calls, print) {
  function escaped(letter) {
    return '\\\\u' + (65536 + letter.charCodeAt(0)).toString(16).slice(1);
  }
  for (var i = 0; i < calls.length; i++)
    print(JSON.stringify(functions[calls[i][0]](calls[i][1])).replace(/[^\\x00-\\x7f]/g, escaped));
})({ decodeUplink: decodeUplink, decodeDownlink: decodeDownlink, encodeDownlink: encodeDownlink,
     normalizeUplink: normalizeUplink }, %s, %s);
"""


def _answer(text: str) -> Any:
    """Numbers as JavaScript has them: digits beyond 2^53 are made up."""
    return json.loads(text, parse_int=float)


def _program(name: str, script: str, calls: Sequence[Call], print_: str) -> list[Any]:
    program = shutil.which(name)
    if program is None:
        raise Unavailable(f"no {name} on PATH")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.js"
        path.write_text(script + _RUN % (json.dumps(calls), print_), encoding="utf-8")
        done = subprocess.run([program, path], capture_output=True, text=True, timeout=_TIMEOUT_S)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    return [_answer(line) for line in done.stdout.splitlines()]


def node(script: str, calls: Sequence[Call]) -> list[Any]:
    return _program("node", script, calls, "console.log")


def duktape(script: str, calls: Sequence[Call]) -> list[Any]:
    """Debian's duktape: ES5.1 and little more."""
    return _program("duk", script, calls, "print")


def quickjs(script: str, calls: Sequence[Call]) -> list[Any]:
    """A new runtime for every call, as ChirpStack has it."""
    from quickjs import Context

    answers = []
    for name, given in calls:
        context = Context()
        context.eval(script)
        answers.append(_answer(context.eval(f"JSON.stringify({name}({json.dumps(given)}))")))
    return answers


ENGINES: dict[str, Callable[[str, Sequence[Call]], list[Any]]] = {
    "node": node,
    "quickjs": quickjs,
    "duktape": duktape,
}
