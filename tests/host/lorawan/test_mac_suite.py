"""How many cases the MAC's own tests have: those that run unchanged on CPython and both MicroPythons (tests/both)."""

from __future__ import annotations

import ast
from pathlib import Path

FILES = sorted((Path(__file__).parents[2] / "both").glob("test_lorawan_*.py"))


def cases(tree: ast.Module) -> tuple[int, int]:
    """(test functions, rows of the tables they go through)."""
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    used = {node.id for test in tests for node in ast.walk(test) if isinstance(node, ast.Name)}
    rows = 0
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if names & used:
                rows += sum(isinstance(row, ast.Tuple) for row in node.value.elts)
    return len(tests), rows


def test_four_hundred_cases() -> None:
    counted = [cases(ast.parse(path.read_text())) for path in FILES]
    tests, rows = (sum(column) for column in zip(*counted, strict=True))
    print(f"\nLoRaWAN MAC: {tests} tests in {len(FILES)} files, {rows} rows in their tables")
    assert tests + rows >= 400
