"""Certificates for the tests: an authority, a server and a client that it signed, and an authority that nobody trusts."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Certificates(NamedTuple):
    """Files, as PEM."""

    ca: Path
    cert: Path
    key: Path
    client_cert: Path
    client_key: Path
    other_ca: Path


def make_certificates(folder: Path) -> Certificates:
    """Make them; the server's is for 127.0.0.1 and localhost."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("ca", "other"):
        self_signed = ["-x509", "-days", "2", "-addext", "keyUsage=critical,keyCertSign"]
        openssl("req", *self_signed, *new_key(folder, name), "-out", folder / f"{name}.pem")
    for name in ("server", "client"):
        names = folder / f"{name}.ext"
        names.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("req", *new_key(folder, name), "-out", folder / f"{name}.csr")
        signed_by = ["-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "2"]
        openssl(
            "x509", "-req", "-in", folder / f"{name}.csr", *signed_by, "-extfile", names, "-out", folder / f"{name}.pem"
        )
    files = ("ca.pem", "server.pem", "server.key", "client.pem", "client.key", "other.pem")
    return Certificates(*(folder / name for name in files))


def new_key(folder: Path, name: str) -> list[object]:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    return [*curve, "-keyout", folder / f"{name}.key", "-subj", f"/CN={name}"]


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
