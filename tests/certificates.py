"""A certificate authority for the length of a test."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_Key = ec.EllipticCurvePrivateKey


def make(folder: Path, name: str) -> tuple[Path, Path, bytes]:
    """(certificate, key, authority in DER) of a broker called `name`."""
    now = datetime.datetime.now(datetime.UTC)

    def certificate(subject: str, key: _Key, issuer: str, signer: _Key, authority: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            names = [x509.DNSName(subject), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256())

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = certificate("test authority", authority_key, "test authority", authority_key, True)
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate(name, key, "test authority", authority_key, False)
    paths = folder / "broker.pem", folder / "broker.key"
    paths[0].write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return *paths, authority.public_bytes(serialization.Encoding.DER)
