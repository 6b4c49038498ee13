"""What a server does wrong with one event is counted as just that, and the run is no success."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.scripts.conftest import LoadTest
from tests.scripts.fake import LAST, FakeServer, Fault

JOBS = 3
CALL = ("--streams", str(JOBS), "--ramp", "0")
FLAWS = ("lost", "repeated", "reordered", "misnumbered")


@pytest.mark.parametrize(
    ("fault", "flaw"),
    [
        ("lose", "lost"),
        ("repeat", "repeated"),
        ("reorder", "reordered"),
        ("misnumber", "misnumbered"),
        ("resume_late", "lost"),
        ("resume_early", "repeated"),
        ("no_end", "lost"),
    ],
)
async def test_each_event_gone_wrong_is_caught(load_test: LoadTest, fault: Fault, flaw: str) -> None:
    async with FakeServer(fault) as server:
        called = await load_test("--url", server.url, *CALL)
    assert called.code == 1
    assert {name: called.counts[name] for name in FLAWS} == {name: JOBS * (name == flaw) for name in FLAWS}
    assert called.counts["whole"] == 0
    assert f"MISSED {flaw} <= 0: {JOBS}" in called.said


async def test_a_stream_that_is_not_closed_after_its_end_is_an_error_and_holds_nobody_up(load_test: LoadTest) -> None:
    async with FakeServer("unclosed") as server:
        called = await load_test("--url", server.url, *CALL)
    assert called.code == 1
    assert called.report["errors"] == {"unclosed": JOBS}
    assert called.counts["whole"] == JOBS


async def test_the_same_server_without_a_fault_is_a_success(load_test: LoadTest) -> None:
    async with FakeServer() as server:
        called = await load_test("--url", server.url, *CALL)
    assert called.code == 0, called.said
    assert called.counts["whole"] == JOBS
    assert called.counts["delivered"] == JOBS * LAST


async def test_a_clock_that_differs_is_estimated_and_taken_into_account(load_test: LoadTest) -> None:
    async with FakeServer(ahead=100.0) as server:
        called = await load_test("--url", server.url, *CALL, "--clock", "estimate")
    clock = called.report["clock"]
    assert clock["estimated"]
    assert abs(clock["offset"] + 100_000) <= clock["uncertainty"] + 1
    assert called.report["times"]["delay"]["max"] < 5000
    assert "the server's differs by -100,0" in called.said


async def test_a_server_with_tls_is_trusted_by_its_certificate_alone(load_test: LoadTest, tmp_path: Path) -> None:
    tls, certificate = certified(tmp_path)
    async with FakeServer(tls=tls) as server:
        called = await load_test("--url", server.url, *CALL, "--ca", str(certificate))
        refused = await load_test("--url", server.url, *CALL)
    assert called.code == 0, called.said
    assert called.counts["whole"] == JOBS
    assert refused.code == 2
    assert "certificate verify failed" in refused.said


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for localhost that signs itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, key_path = folder / "certificate.pem", folder / "key.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path, key_path)
    return tls, path
