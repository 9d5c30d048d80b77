"""Translates an error of the SDK on connect into a message that says what is wrong and with which Secret.

The SDK raises a RuntimeError for every cause. Its text is the cause as Rust prints it. The messages of this module name
the Secret that the credential comes from, and never its content.
"""

import re
import ssl

from execution_operator.core.errors import SecretError, TemporalError
from execution_operator.temporal.credential import Credential

MALFORMED = {
    "NoCertificatesPresented": "tls.crt is no certificate in PEM form",
    "CertificateParseError": "tls.crt or ca.crt is no certificate in PEM form",
    "PrivateKeyParseError": "tls.key is no private key in PEM form",
    "InconsistentKeys": "tls.key does not belong to tls.crt",
}
"""Messages for a malformed certificate or key, by the error's name in the TLS library of the SDK."""

ALERTS = {
    "CertificateExpired": "it has expired",
    "CertificateRevoked": "it is revoked",
    "UnknownCA": "the server does not accept its issuer",
}
"""Messages for a refused client certificate, by the name of the TLS alert (RFC 8446 §6.2).

The message for any other alert is its name.
"""

_ALERT = re.compile(r"received fatal alert: (\w+)")
"""The server refused the TLS handshake with this alert."""

_UNTRUSTED = re.compile(r"InvalidCertificate\((\w+)")
"""The client does not trust the server's certificate."""

_STATUS = re.compile(r'Status \{ code: (Unauthenticated|PermissionDenied), message: "((?:[^"\\]|\\.)*)"')
"""The server refused the first call with this gRPC status and message."""

_QUOTED = re.compile(r'(?:error|message): "([^"]*)"')
"""A message inside any other error. The last one is the innermost cause."""

_CLOSED_AT_ONCE = re.compile(r"get_system_info.*(UnexpectedEof|BrokenPipe|ConnectionReset)", re.DOTALL)
"""The server closed the connection during the first call."""


def check_certificates(credential: Credential) -> None:
    """Check that the certificates are in PEM form.

    The SDK ignores an empty ca.crt, and does not say which certificate is malformed.

    Raises:
        SecretError: A certificate is malformed.
    """
    for name, content in (("tls.crt", credential.certificate), ("ca.crt", credential.ca)):
        if content is not None and not _is_certificate(content):
            raise SecretError(f"{credential.certificate_source}: {name} is no certificate in PEM form")


def connect_error(error: Exception, credential: Credential) -> SecretError | TemporalError:
    """Return the error to raise for an error of the SDK on connect."""
    text = str(error)
    if malformed := next((message for name, message in MALFORMED.items() if name in text), None):
        return SecretError(f"{credential.certificate_source}: {malformed}")
    if refusal := _refusal(text, credential):
        return TemporalError(refusal, refused=True)
    if _CLOSED_AT_ONCE.search(text):
        return TemporalError(f"the server closed the connection at once: {_possible_cause(credential)}")
    quoted = _QUOTED.findall(text)
    return TemporalError(f"Temporal does not answer: {quoted[-1] if quoted else type(error).__name__}")


def _refusal(text: str, credential: Credential) -> str | None:
    """Return a message if the server or the client refuses the other, or None if the next attempt can succeed."""
    if alert := _ALERT.search(text):
        return _alert_message(alert[1], credential)
    if untrusted := _UNTRUSTED.search(text):
        return _untrusted_message(untrusted[1], credential)
    if status := _STATUS.search(text):
        subject = f"the API key in {credential.api_key_source}" if credential.api_key else "a call without an API key"
        return f"Temporal refuses {subject}: {status[1]}: {status[2]}"
    if "InvalidMessage(InvalidContentType)" in text:
        return "the server does not use TLS at this address: check spec.temporal.address and spec.temporal.tls"
    return None


def _alert_message(alert: str, credential: Credential) -> str:
    if credential.certificate is None:
        return f"the server wants a client certificate: name its Secret in spec.temporal.tls (TLS alert {alert})"
    why = ALERTS.get(alert, f"TLS alert {alert}")
    return f"the server refuses the certificate in {credential.certificate_source}: {why}"


def _untrusted_message(cause: str, credential: Credential) -> str:
    if cause.startswith("Expired"):
        return "the server's own certificate has expired"
    if cause.startswith("NotValidForName"):
        return "the server's certificate is for another name: set spec.temporal.tls.serverName to its name"
    source = credential.certificate_source
    authority = f"ca.crt of {source}" if credential.ca else "an authority that this system trusts"
    return f"the server's certificate is not signed by {authority} ({cause})"


def _possible_cause(credential: Credential) -> str:
    """Return a question about the most likely reason for a closed connection."""
    if not credential.tls:
        return "does it want TLS (spec.temporal.tls)?"
    if credential.certificate is None:
        return "does it want a client certificate (spec.temporal.tls.secretName)?"
    return f"does it refuse the certificate in {credential.certificate_source}?"


def _is_certificate(pem: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        return False
    return True
