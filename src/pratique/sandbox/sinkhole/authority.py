"""A certificate authority for one run: whoever trusts the image's own bundle trusts the sinkhole."""

import datetime as dt
import ipaddress
import ssl
import tempfile
from functools import cached_property
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_VALID: Final = dt.timedelta(days=30)
_MOST_NAME: Final = 64
"""Of a common name: RFC 5280, ub-common-name."""
_MOST_CONTEXTS: Final = 1024
_KEY_BITS: Final = 2048


class Authority:
    """The authority's key and certificate, and the certificates that it made."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate
        self._contexts: dict[str, ssl.SSLContext] = {}

    @classmethod
    def create(cls) -> Self:
        """Make a new one."""
        key = _new_key()
        name = _name("Global Trust Root R5")
        builder = _builder(name, name, key.public_key()).add_extension(x509.BasicConstraints(True, None), critical=True)
        return cls(key, builder.sign(key, hashes.SHA256()))

    @classmethod
    def load(cls, pem: bytes) -> Self:
        """Return the one that :meth:`dump` gave."""
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return cls(key, x509.load_pem_x509_certificate(pem))

    def dump(self) -> bytes:
        """Return key and certificate."""
        return _key_pem(self._key) + self.certificate

    @property
    def certificate(self) -> bytes:
        """The certificate, PEM."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def context(self, name: str) -> ssl.SSLContext:
        """Return a server's context for a host's name or address."""
        found = self._contexts.get(name)
        if found is not None:
            return found
        context = server_context()
        with tempfile.NamedTemporaryFile() as file:
            file.write(self._issue(name) + _key_pem(self._server_key))
            file.flush()
            context.load_cert_chain(file.name)
        if len(self._contexts) < _MOST_CONTEXTS:
            self._contexts[name] = context
        return context

    @cached_property
    def _server_key(self) -> rsa.RSAPrivateKey:
        return _new_key()

    def _issue(self, name: str) -> bytes:
        builder = _builder(_name(name), self._certificate.subject, self._server_key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def server_context() -> ssl.SSLContext:
    """Return a context that takes whatever a client offers, however old and weak: there is no secret to keep."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, _KEY_BITS)


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_MOST_NAME] or "localhost")])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("ascii", "replace").decode() or "localhost")


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
