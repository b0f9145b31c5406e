"""Two certificate authorities that know nothing of each other, and the key of the token server."""

import shutil

from settings import SERVER_NAME, TLS
from steps import run, step

_CONFIG = f"""
[req]
distinguished_name = name
prompt = no
[name]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:{SERVER_NAME},DNS:localhost,IP:127.0.0.1
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
"""
_DAYS = "3650"


def make():
    """tls/: ca, server, client; stranger-ca, stranger (a client); token; docker/ for Docker."""
    with step("made certificates"):
        TLS.mkdir(exist_ok=True)
        (TLS / "openssl.cnf").write_text(_CONFIG)
        _self_signed("ca", "rig CA", "ec")
        _signed("server", "rig builder", "ca")
        _signed("client", "rig client", "ca")
        _self_signed("stranger-ca", "stranger CA", "ec")
        _signed("stranger", "stranger", "stranger-ca", section="client")
        _self_signed("token", "rig token signer", "rsa")
        (TLS / "docker").mkdir(exist_ok=True)
        for source, name in (("ca", "ca"), ("client", "cert"), ("client-key", "key")):
            shutil.copy(TLS / f"{source}.pem", TLS / "docker" / f"{name}.pem")


def _self_signed(name, common_name, kind):
    _openssl(name, common_name, "ca", kind, [])


def _signed(name, common_name, issuer, section=None):
    by = ["-CA", TLS / f"{issuer}.pem", "-CAkey", TLS / f"{issuer}-key.pem"]
    _openssl(name, common_name, section or name, "ec", by)


def _openssl(name, common_name, section, kind, by):
    key = (
        ["-newkey", "rsa:2048"]
        if kind == "rsa"
        else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    )
    files = ["-keyout", TLS / f"{name}-key.pem", "-out", TLS / f"{name}.pem"]
    subject = [
        "-subj",
        f"/CN={common_name}",
        "-config",
        TLS / "openssl.cnf",
        "-extensions",
        section,
    ]
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-nodes",
            "-sha256",
            "-days",
            _DAYS,
            *key,
            *subject,
            *by,
            *files,
        ]
    )
