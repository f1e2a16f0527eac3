"""Reading a machine's apt sources, in both formats (sources.list(5)), and refusing what apt can't verify."""

import hashlib
from pathlib import Path

import pytest
from tests.tools import micropython32

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://one.example/debian bookworm main contrib  # why
deb http://two.example/debian trixie main
deb http://security.example/debian-security bookworm-security main
deb-src http://source.example/debian bookworm main
deb [trusted=yes] http://three.example/debian stable main
deb https://vendor.example/node nodistro main
deb http://ubuntu.example/ubuntu noble main
"""

DEB822 = """\
Types: deb deb-src
# a comment between fields
URIs: http://one.example/debian http://also.example/debian
Suites: bookworm bookworm-updates
Components: main non-free
Signed-By: /usr/share/keyrings/a.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

types: deb
uris: http://inline.example/debian
suites: sid
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 aGVsbG8=
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_one_line_format() -> None:
    found = [(source.uri, source.signed_by) for source in micropython32.parse_one_line(ONE_LINE)]
    assert found == [
        ("http://one.example/debian", "/usr/share/keyrings/a.gpg"),
        ("http://two.example/debian", ""),
        ("http://three.example/debian", ""),
    ]


def test_deb822_format() -> None:
    found = micropython32.parse_deb822(DEB822)
    assert [(source.uri, source.signed_by.count("\n")) for source in found] == [
        ("http://one.example/debian", 0),
        ("http://also.example/debian", 0),
        ("http://inline.example/debian", 4),
    ]
    assert found[0].signed_by == "/usr/share/keyrings/a.gpg"
    assert "\n -----BEGIN PGP" in found[2].stanza() and found[2].stanza().endswith("BLOCK-----\n")


def test_trust_is_never_carried_over() -> None:
    """`trusted=yes` would switch signature checks off."""
    for source in micropython32.parse_one_line(ONE_LINE):
        assert "rusted" not in source.stanza()


def test_a_machine_without_debian_sources_gets_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micropython32, "_installed", lambda: False)
    monkeypatch.setattr(micropython32, "debian_sources", list)
    monkeypatch.setattr(micropython32.shutil, "which", lambda _: "/usr/bin/it")
    monkeypatch.setattr(micropython32.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(micropython32.platform, "system", lambda: "Linux")
    assert micropython32.command() is None
    assert micropython32.why() == "no Debian archive among this machine's apt sources"
    monkeypatch.setattr(micropython32.platform, "machine", lambda: "aarch64")
    assert micropython32.command() is None
    assert "aarch64" in micropython32.why()


def test_a_file_that_is_not_the_one_recorded_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = b"the very package"
    monkeypatch.setattr(micropython32, "FILES", {"t/two/two_1_i386.deb": hashlib.sha256(wanted).hexdigest()})
    monkeypatch.setattr(micropython32, "_HELPER", Path(__file__))
    given = [wanted]
    asked = []

    def run(argv: list[str], _folder: Path, _environment: dict[str, str]) -> None:
        asked.append(argv[2])
        Path(argv[3]).write_bytes(given[0])

    monkeypatch.setattr(micropython32, "_run", run)
    source = micropython32.Source("http://one.example/debian/", "")
    assert [path.name for path in micropython32._download_files(source, tmp_path / "work")] == ["two_1_i386.deb"]
    assert asked == ["http://one.example/debian/pool/main/t/two/two_1_i386.deb"]
    given[0] = b"another package "
    with pytest.raises(micropython32.Unavailable, match="is not the file with the SHA-256"):
        micropython32._download_files(source, tmp_path / "work")
