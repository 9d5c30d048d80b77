"""A certificate authority for one test control plane."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = x509.SubjectAlternativeName(
    [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))],
)
# Python 3.13 verifies strictly: an authority says that it signs, and certificates name the key that signed them.
SIGNING_ONLY = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
CRITICAL = (x509.BasicConstraints, x509.KeyUsage)


class Authority:
    """Signs the certificates of one API server and of its users; keeps them in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("execution-operator-tests", ())
        self._key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = folder / "ca.crt"
        self._save(self.certificate, self._sign(self._name, self._key, constraints, self._key_id, SIGNING_ONLY))

    def issue_server(self, name: str) -> tuple[Path, Path]:
        """Issue a certificate for a server on the loopback interface; give the files of certificate and key."""
        return self._issue(name, _name(name, ()), ExtendedKeyUsageOID.SERVER_AUTH, LOOPBACK)

    def issue_user(self, name: str, groups: Sequence[str]) -> tuple[Path, Path]:
        """Issue a certificate that the API server reads as this user in these groups."""
        return self._issue(f"user-{name.replace('/', '_')}", _name(name, groups), ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(
        self, stem: str, subject: x509.Name, usage: x509.ObjectIdentifier, *extensions: x509.ExtensionType
    ) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._key_id)
        self._save(certificate, self._sign(subject, key, x509.ExtendedKeyUsage([usage]), issuer, *extensions))
        save_key(key_file, key)
        return certificate, key_file

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(hours=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=7))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, CRITICAL))
        return builder.sign(self._key, hashes.SHA256())

    @staticmethod
    def _save(file: Path, certificate: x509.Certificate) -> None:
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def generate_key(file: Path) -> Path:
    """Make a private key, for the tokens of ServiceAccounts."""
    save_key(file, ec.generate_private_key(ec.SECP256R1()))
    return file


def request_certificate(user: str, file: Path) -> bytes:
    """Make a private key, and return the request that the API server's own authority signs for this user."""
    key = ec.generate_private_key(ec.SECP256R1())
    save_key(file, key)
    request = x509.CertificateSigningRequestBuilder(_name(user, ())).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def save_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write the private key, readable to this user alone."""
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )


def _name(common_name: str, groups: Sequence[str]) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
