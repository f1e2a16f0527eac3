"""The keys tls, ca_file, cert_file and key_file, of whatever connects to a server."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

from judder.errors import InputError


class Keys(Protocol):
    tls: bool
    ca_file: Path | None
    cert_file: Path | None
    key_file: Path | None


def check(options: Keys) -> None:
    """Files imply tls. Raises InputError where one of two is missing."""
    options.tls = options.tls or options.ca_file is not None or options.cert_file is not None
    if (options.cert_file is None) != (options.key_file is None):
        raise InputError("cert_file, key_file: these two go together")


def context(options: Keys) -> ssl.SSLContext | None:
    """None without tls. Raises InputError for files that cannot be used."""
    if not options.tls:
        return None
    found = trusting(options.ca_file)
    if options.cert_file is not None:
        try:
            found.load_cert_chain(options.cert_file, options.key_file)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise InputError(f"cert_file: cannot use {options.cert_file}: {error}") from error
    return found


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """The authorities in that file, or the system's. Raises InputError for a file that cannot be used."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise InputError(f"ca_file: cannot use {ca_file}: {error}") from error
