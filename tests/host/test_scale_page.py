"""docs/scale.md: its Python runs, its commands are those of the recipes."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def test_python_runs(tmp_path: Path) -> None:
    space: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(compile(block, "docs/scale.md", "exec"), space)  # noqa: S102
    payloads = [bytes.fromhex("86011828f619019f0700"), b"\x82"]
    pq.write_table(pa.table({"payload": pa.array(payloads, pa.binary())}), tmp_path / "raw.parquet")
    ((table, errors),) = space["readings"](tmp_path / "raw.parquet")
    assert table.column("temperature_c").to_pylist() == [41.5, None] and [error.row for error in errors] == [1]


def test_options_of_the_job_exist() -> None:
    script = (ROOT / "host" / "integrations" / "spark" / "backfill.py").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
    options = {option for line in lines for option in re.findall(r"--\w+", line.partition("backfill.py")[2])}
    assert options == {"--master", "--kind"}
    for option in options | set(re.findall(r"`(--\w+)`", PAGE)):
        assert f'"{option}"' in script, option


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", PAGE))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / "docs" / target).exists()
