#!/usr/bin/env python3
"""A 32-bit MicroPython for this computer, so that kernels are tested in the word size of an ESP32.

Debian trixie's `micropython` for i386 and its libraries are downloaded from the mirror the machine already uses and
unpacked under build/micropython32. Nothing is installed and nothing of the machine's apt is changed. First the very
files named below are tried, each held against its SHA-256: no index is needed, and a mirror in the middle of an update
does no harm. Where one of them is superseded, apt resolves the suite's own with a configuration of ours, and checks
the signatures as it always does.

    python tests/tools/micropython32.py          fetch if needed, then print the command
    command() -> ["ld-linux.so.2", "--library-path", ..., "micropython"] or None; why() then says why not.

Safe to run twice at once, as root or not, and quick when the work is already done.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from judder.virtual.micropython32 import command_of

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / "build" / "micropython32"

SUITE = "trixie"
# micropython and what its binary needs, as `apt-cache depends` lists it for this suite.
PACKAGES = (
    "micropython",
    "libc6",
    "libffi8",
    "libgcc-s1",
    "libmbedtls21",
    "libmbedx509-7",
    "libmbedcrypto16",
)

# Their files of Debian 13, below the mirror's pool/main, and the SHA-256 of each as the suite's index gives it.
FILES = {
    "m/micropython/micropython_1.25.0+ds-1_i386.deb": (
        "a72799821cb45442150f8a7f0757bc8e4f9a4b64abccbd837d694a20d6900bb5"
    ),
    "g/glibc/libc6_2.41-12+deb13u4_i386.deb": "67bb4b54cf4bb6a380449dfa1852cd9135659f85360caa0e41d312f4b30e573a",
    "libf/libffi/libffi8_3.4.8-2_i386.deb": "8bafefb38c320ca27796070c881595ce04d900c3b534ac142a494daf1fe1db13",
    "g/gcc-14/libgcc-s1_14.2.0-19_i386.deb": "a4c71fd856d2a48a7505a087b4186e3cca23f94603c05e3fb7c799b27e72f761",
    "m/mbedtls/libmbedtls21_3.6.6-0.1~deb13u1_i386.deb": (
        "eb1b20154ce9008aca1d036698ffc12019020a54985d2c5ae3dc1c1c39c9e995"
    ),
    "m/mbedtls/libmbedx509-7_3.6.6-0.1~deb13u1_i386.deb": (
        "fe6ba192c9227d30a4cd05a3bdeccdf9ff30d55b27d8ff488126c16dcf727cce"
    ),
    "m/mbedtls/libmbedcrypto16_3.6.6-0.1~deb13u1_i386.deb": (
        "aa4698ed436eebf77e3dc9f5c514073bd554109d857d887db5a367dde9a5c377"
    ),
}
_HELPER = Path("/usr/lib/apt/apt-helper")

# Suites whose mirror also carries ours. Security mirrors don't, and other vendors' archives don't.
_DEBIAN_SUITES = frozenset(
    ("buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid")
    + ("oldoldstable", "oldstable", "stable", "testing", "unstable")
)
_APT_TIMEOUT_S = 300

_why = ""


class Unavailable(Exception):
    """The interpreter can't be had here; the message says why, on one line."""


class Source:
    """A Debian archive the machine already trusts: its address and what apt's Signed-By says (path, key or nothing)."""

    def __init__(self, uri: str, signed_by: str) -> None:
        self.uri = uri
        self.signed_by = signed_by

    def stanza(self) -> str:
        """The same archive as a deb822 stanza for our suite and architecture. `Trusted: yes` is never carried over."""
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {SUITE}", "Components: main", "Architectures: i386"]
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        return "\n".join(lines) + "\n"


def command() -> "list[str] | None":
    """Argument list that starts the 32-bit MicroPython, fetched on first use; None when it can't be had (see why)."""
    global _why
    try:
        # The finished tree appears by one rename, so seeing it needs no lock.
        if not _installed():
            with _lock():
                if not _installed():
                    _fetch()
    except (Unavailable, OSError) as error:
        _why = str(error)
        return None
    _why = ""
    return command_of(TREE)


def why() -> str:
    """Why the last command() gave None, on one line; empty when it did not."""
    return _why


def main() -> int:
    """Fetch if needed and print the command: exit code 0, or 1 with the reason on standard error."""
    argv = command()
    if argv is None:
        print(f"32-bit MicroPython not available: {why()}", file=sys.stderr)
        return 1
    print(" ".join(argv))
    return 0


def _stamp() -> str:
    return " ".join((SUITE, *PACKAGES)) + "\n"


def _installed() -> bool:
    try:
        return (TREE / "complete").read_text() == _stamp()
    except OSError:
        return False


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    TREE.parent.mkdir(parents=True, exist_ok=True)
    with (TREE.parent / "micropython32.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch() -> None:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise Unavailable(f"it runs on x86-64 Linux, this is {platform.machine()} {platform.system()}")
    for tool in ("apt-get", "apt-config", "dpkg"):
        if shutil.which(tool) is None:
            raise Unavailable(f"{tool} not found: it is fetched with apt, on a Debian machine")
    found = debian_sources()
    if not found:
        raise Unavailable("no Debian archive among this machine's apt sources")

    work = TREE.with_name("micropython32.work")
    shutil.rmtree(work, ignore_errors=True)
    reasons = []
    try:
        for download, source in [(way, source) for way in (_download_files, _download) for source in found]:
            try:
                tree = _unpack(download(source, work), work / "tree")
            except Unavailable as error:
                reasons.append(str(error))
                continue
            _prove(tree)
            (tree / "complete").write_text(_stamp())
            shutil.rmtree(TREE, ignore_errors=True)
            tree.rename(TREE)
            return
    finally:
        shutil.rmtree(work, ignore_errors=True)
    raise Unavailable("; ".join(dict.fromkeys(reasons)))


def _download_files(source: Source, work: Path) -> "list[Path]":
    """The files named in FILES from one archive, each held against its SHA-256, into a fresh work folder."""
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("packages", "tree"):
        (work / folder).mkdir(parents=True)
    if not _HELPER.exists():
        raise Unavailable(f"{_HELPER} not found")
    for name, sha256 in FILES.items():
        # apt's own downloader: it knows the machine's proxy.
        target = work / "packages" / name.rpartition("/")[2]
        uri = f"{source.uri.rstrip('/')}/pool/main/{name}"
        _run([str(_HELPER), "download-file", uri, str(target), f"SHA256:{sha256}"], work, dict(os.environ))
        # Older helpers take the checksum and do not look at it.
        if hashlib.sha256(target.read_bytes()).hexdigest() != sha256:
            raise Unavailable(f"{uri} is not the file with the SHA-256 {sha256}")
    return sorted((work / "packages").glob("*.deb"))


def _download(source: Source, work: Path) -> "list[Path]":
    """Index and packages of one archive, verified by apt, into a fresh work folder."""
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial", "packages", "state", "tree"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / f"{SUITE}.sources").write_text(source.stanza())
    (work / "settings").write_text(_apt_settings(work))
    # apt reads this file, then apt.conf.d, then Dir::Etc::main: only there can ours have the last word.
    (work / "apt.conf").write_text(f'Dir::Etc::main "{work / "settings"}";\n')

    environment = {
        **os.environ,
        "APT_CONFIG": str(work / "apt.conf"),
        "LC_ALL": "C",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    _run(["apt-get", "-q", "update"], work, environment)
    _run(["apt-get", "-q", "download", *PACKAGES], work / "packages", environment)
    return sorted((work / "packages").glob("*.deb"))


def _apt_settings(work: Path) -> str:
    main = Path(_apt_value("Dir::Etc::main") or "/etc/apt/apt.conf")
    lines = []
    if main.is_file():
        # It may hold the proxy.
        lines.append(f'#include "{main}";')
    for name in (
        "APT::Architectures",
        "APT::Update::Pre-Invoke",
        "APT::Update::Post-Invoke",
        "APT::Update::Post-Invoke-Success",
        "DPkg::Post-Invoke",
        "Acquire::IndexTargets::deb::DEP-11",
        "Acquire::IndexTargets::deb::DEP-11-icons",
        "Acquire::IndexTargets::deb::DEP-11-icons-small",
        "Acquire::IndexTargets::deb::DEP-11-icons-large",
        "Acquire::IndexTargets::deb::DEP-11-icons-hidpi",
    ):
        # Hooks of the machine are not ours to trigger, and icon catalogues are nothing to us.
        lines.append(f"#clear {name};")
    values = {
        "Dir::Etc::sourcelist": work / f"{SUITE}.sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": work / "state",
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "APT::Architecture": "i386",
        "APT::Architectures::": "i386",
        "APT::Default-Release": "",
        # The work folder may lie where apt's own user can't reach.
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
        "Acquire::https::Timeout": "20",
        "Acquire::AllowInsecureRepositories": "false",
        "APT::Get::AllowUnauthenticated": "false",
        # Without this apt only warns when an index can't be fetched.
        "APT::Update::Error-Mode": "any",
    }
    lines += [f'{name} "{value}";' for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _unpack(packages: "list[Path]", tree: Path) -> Path:
    missing = [name for name in PACKAGES if not any(path.name.startswith(name + "_") for path in packages)]
    if missing:
        raise Unavailable(f"the mirror did not give {', '.join(missing)}")
    for package in packages:
        _run(["dpkg", "-x", str(package), str(tree)], tree, dict(os.environ))
    return tree


def _prove(tree: Path) -> None:
    """Start it once: a kernel without 32-bit support fails here, not in the middle of a test."""
    program = "import sys; print(sys.implementation[0], sys.maxsize)"
    try:
        done = subprocess.run([*command_of(tree), "-c", program], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"it was fetched and does not start here: {error}") from None
    if done.returncode != 0 or done.stdout.split() != ["micropython", str(2**31 - 1)]:
        raise Unavailable(f"it was fetched and does not run here: {(done.stderr or done.stdout).strip()[:200]!r}")


def _run(argv: "list[str]", folder: Path, environment: "dict[str, str]") -> None:
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_APT_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(argv[:3])} took more than {_APT_TIMEOUT_S} s: is the network there?") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise Unavailable(f"{' '.join(argv[:3])} failed: {said[0] if said else 'no message'}")


def debian_sources() -> "list[Source]":
    """Debian archives named in the machine's own apt sources, without repeats, in the order apt reads them."""
    parts = Path(_apt_value("Dir::Etc::sourceparts") or "/etc/apt/sources.list.d")
    files = [Path(_apt_value("Dir::Etc::sourcelist") or "/etc/apt/sources.list")]
    if parts.is_dir():
        files += sorted(parts.iterdir())
    found: dict[tuple[str, str], Source] = {}
    for path in files:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for source in (parse_deb822 if path.suffix == ".sources" else parse_one_line)(text):
            found.setdefault((source.uri, source.signed_by), source)
    return list(found.values())


def parse_one_line(text: str) -> "list[Source]":
    """Debian archives in a one-line-style file: `deb [option=value ...] uri suite component ...`."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]*)", line)
        if match is None or not _is_debian([match[3]], match[4].split()):
            continue
        options = dict(word.split("=", 1) for word in (match[1] or "").split() if "=" in word)
        found.append(Source(match[2], options.get("signed-by", "").replace(",", " ")))
    return found


def parse_deb822(text: str) -> "list[Source]":
    """Debian archives in a deb822-style file: stanzas of `Field: value`, continued on indented lines."""
    found = []
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields[name] = fields.get(name, "") + "\n" + line
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").strip().lower() in ("no", "false", "0", "off"):
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        if not _is_debian(fields.get("suites", "").split(), fields.get("components", "").split()):
            continue
        found += [Source(uri, fields.get("signed-by", "")) for uri in fields.get("uris", "").split()]
    return found


def _is_debian(suites: "list[str]", components: "list[str]") -> bool:
    return "main" in components and any(suite in _DEBIAN_SUITES for suite in suites)


def _apt_value(name: str) -> str:
    """One path of the machine's apt configuration."""
    done = subprocess.run(["apt-config", "shell", "VALUE", f"{name}/f"], capture_output=True, text=True, timeout=30)
    match = re.match(r"VALUE='(.*)'", done.stdout)
    return match[1] if match else ""


if __name__ == "__main__":
    sys.exit(main())
