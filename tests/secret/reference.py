"""
The secret as SPEC.md has it, once more: in another language, with other
libraries (hashlib, hmac, unicodedata, and `cryptography` for the certificate),
and without a look at the program.

Reads a JSON array of texts from stdin; writes one of objects: the key material,
both keys, the authority's certificate (DER) and what each proof is over the
nonces given as arguments, all in hexadecimal digits.

    python3 reference.py SERVER-NONCE CLIENT-NONCE < texts.json
"""

import datetime
import hashlib
import hmac
import json
import re
import sys
import unicodedata

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
SALT = b"tandem/1"


def check(digits):
    """The last two digits of a generated secret: SEC-2."""
    hashed = hashlib.sha256(SALT + digits.encode()).digest()
    return DIGITS[hashed[0] % 32] + DIGITS[hashed[1] % 32]


def material(text):
    """What the keys are made of: SEC-1, SEC-2, SEC-3."""
    text = unicodedata.normalize("NFC", text.strip())
    digits = text.lower().replace("-", "").replace("o", "0").replace("i", "1").replace("l", "1")
    if re.fullmatch(f"[{DIGITS}]{{28}}", digits) and check(digits[:26]) == digits[26:]:
        return digits.encode()
    return hashlib.scrypt(text.encode(), salt=SALT, n=32768, r=8, p=1, dklen=32, maxmem=128 * 1024 * 1024)


def key(material, purpose):
    """HKDF-SHA-256 (RFC 5869) of 32 bytes, which is one block: SEC-3."""
    extracted = hmac.new(SALT, material, hashlib.sha256).digest()
    return hmac.new(extracted, purpose.encode() + b"\x01", hashlib.sha256).digest()


def certificate(seed):
    """The authority's certificate: SEC-4."""
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key()
    info = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tandem secret")])
    usage = dict.fromkeys(
        [
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    return (
        x509.CertificateBuilder()
        .serial_number(1)
        .issuer_name(name)
        .subject_name(name)
        .not_valid_before(datetime.datetime(2000, 1, 1))
        .not_valid_after(datetime.datetime(9999, 12, 31, 23, 59, 59))
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, **usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(hashlib.sha256(info).digest()[:20]), critical=False)
        .sign(private, None)
        .public_bytes(serialization.Encoding.DER)
    )


def proof(secret, prover, server_nonce, client_nonce):
    """SEC-6."""
    return hmac.new(key(secret, "proof"), f"{prover} {server_nonce} {client_nonce}".encode(), hashlib.sha256).hexdigest()


def told(text, nonces):
    secret = material(text)
    return {
        "material": secret.hex(),
        "authority": key(secret, "authority").hex(),
        "proof": key(secret, "proof").hex(),
        "certificate": certificate(key(secret, "authority")).hex(),
        "proofs": {prover: proof(secret, prover, *nonces) for prover in ("client", "server")},
    }


if __name__ == "__main__":
    json.dump([told(text, sys.argv[1:3]) for text in json.load(sys.stdin)], sys.stdout)
