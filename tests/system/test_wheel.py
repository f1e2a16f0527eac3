"""The wheel carries firmware and boards: an installed judder builds a board's images with no checkout beside it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_installed_package_builds_images(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert {"judder/_assets/firmware/boot.py", "judder/sink/sql/postgres/0001.sql"} <= set(names)
    # Everything stands in one of three places, the contract in exactly one.
    assert {name.split("/")[0].split("-")[0] for name in names} == {"judder", "judder_core"}
    assert sum(name.endswith("/schema.py") for name in names) == 1

    program = "import judder.cli.main as m; m.main(['build', '--board', 'esp32-generic', '--json'])"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        [sys.executable, "-P", "-c", "import judder; print(judder.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.startswith(str(tmp_path)), "the checkout was tried instead of the wheel"
    assert "app.mpy" in done.stdout
