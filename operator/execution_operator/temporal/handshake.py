"""Why a connection to Temporal did not come about, in words for people.

The SDK raises one RuntimeError for everything, whose text is the cause as Rust prints it. What is told here names
the Secret that the credential came from, and never its content.
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
"""What is wrong with the material itself, by the name that the SDK's TLS library has for it."""

ALERTS = {
    "CertificateExpired": "it has expired",
    "CertificateRevoked": "it is revoked",
    "UnknownCA": "the server does not accept its issuer",
}
"""Why a server refuses a client's certificate, by the name of its TLS alert (RFC 8446 §6.2); others by their name."""

_ALERT = re.compile(r"received fatal alert: (\w+)")
_UNTRUSTED = re.compile(r"InvalidCertificate\((\w+)")
_STATUS = re.compile(r'Status \{ code: (Unauthenticated|PermissionDenied), message: "((?:[^"\\]|\\.)*)"')
_QUOTED = re.compile(r'(?:error|message): "([^"]*)"')
_CLOSED_AT_ONCE = re.compile(r"get_system_info.*(UnexpectedEof|BrokenPipe|ConnectionReset)", re.DOTALL)


def check(credential: Credential) -> None:
    """Look at the certificates alone: the SDK takes an empty authority for none, and does not say which is malformed.

    Raises:
        SecretError: One is malformed.
    """
    for name, content in (("tls.crt", credential.certificate), ("ca.crt", credential.ca)):
        if content is not None and not _is_certificate(content):
            raise SecretError(f"{credential.certificate_in}: {name} is no certificate in PEM form")


def failure(error: Exception, credential: Credential) -> SecretError | TemporalError:
    """Return what the SDK's error means."""
    text = str(error)
    if malformed := next((words for name, words in MALFORMED.items() if name in text), None):
        return SecretError(f"{credential.certificate_in}: {malformed}")
    if refusal := _refusal(text, credential):
        return TemporalError(refusal, refused=True)
    if _CLOSED_AT_ONCE.search(text):
        return TemporalError(f"the server closed the connection at once: {_perhaps(credential)}")
    quoted = _QUOTED.findall(text)
    return TemporalError(f"Temporal does not answer: {quoted[-1] if quoted else type(error).__name__}")


def _refusal(text: str, credential: Credential) -> str | None:
    """Return why the two ends do not come together for good; None if they may at the next try."""
    if alert := _ALERT.search(text):
        return _alert(alert[1], credential)
    if untrusted := _UNTRUSTED.search(text):
        return _untrusted(untrusted[1], credential)
    if status := _STATUS.search(text):
        whose = f"the API key in {credential.api_key_in}" if credential.api_key else "a call without an API key"
        return f"Temporal refuses {whose}: {status[1]}: {status[2]}"
    if "InvalidMessage(InvalidContentType)" in text:
        return "the server does not speak TLS there"
    return None


def _alert(alert: str, credential: Credential) -> str:
    if credential.certificate is None:
        return f"the server wants a client certificate: name its Secret in spec.temporal.tls (TLS alert {alert})"
    why = ALERTS.get(alert, f"TLS alert {alert}")
    return f"the server refuses the certificate in {credential.certificate_in}: {why}"


def _untrusted(how: str, credential: Credential) -> str:
    if how.startswith("Expired"):
        return "the server's own certificate has expired"
    if how.startswith("NotValidForName"):
        return "the server's certificate is for another name: put the name that it has in spec.temporal.tls.serverName"
    authority = f"ca.crt of {credential.certificate_in}" if credential.ca else "an authority that this system trusts"
    return f"the server's certificate is not signed by {authority} ({how})"


def _perhaps(credential: Credential) -> str:
    if not credential.tls:
        return "does it want TLS (spec.temporal.tls)?"
    if credential.certificate is None:
        return "does it want a client certificate (spec.temporal.tls.secretName)?"
    return f"does it refuse the certificate in {credential.certificate_in}?"


def _is_certificate(pem: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        return False
    return True
