"""Certificates, and what makes a server speak TLS with them."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificates:
    """A CA, a server certificate for 127.0.0.1 and localhost, and a client's, as PEM files.

    ``stranger`` is the certificate of another CA, which no server of ours trusts.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        authority, authority_key = _certificate("Redisops test CA", None)
        _write(directory / "ca", authority, authority_key)
        for name in ("server", "client"):
            _write(directory / name, *_certificate(name, (authority, authority_key)))
        other = _certificate("Somebody else's CA", None)
        _write(directory / "other-ca", *other)
        _write(directory / "stranger", *_certificate("stranger", other))

    def path(self, name: str) -> str:
        """``ca.crt``, ``server.key`` and so on."""
        return str(self.directory / name)


def tls_arguments(certificates: Certificates, port: int, *, clients: str = "no") -> list[str]:
    """Arguments for a server that speaks TLS on ``port``; ``clients`` is tls-auth-clients.

    The wheel's valkey-server is built without TLS: use Debian's redis-server (``REDIS``).
    """
    return [
        "--tls-port", str(port),
        "--tls-cert-file", certificates.path("server.crt"),
        "--tls-key-file", certificates.path("server.key"),
        "--tls-ca-cert-file", certificates.path("ca.crt"),
        "--tls-auth-clients", clients,
    ]  # fmt: skip


def _certificate(
    name: str, authority: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (authority[0].subject, authority[1]) if authority else (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if authority is None:
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256()), key


def _write(stem: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    stem.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = stem.with_suffix(".key")
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
