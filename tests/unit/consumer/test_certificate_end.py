"""When the certificate in a file ends, compared with what made it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.serving.certificate_end import end_of_file

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(ends_at: datetime, names: list[str], hosts: list[str]) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, name) for name in names])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(KEY.public_key())
    )
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(ends_at - timedelta(days=1)).not_valid_after(ends_at)
    if hosts:
        found = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(found, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@given(
    st.datetimes(datetime(1951, 1, 1), datetime(9000, 1, 1)),  # noqa: DTZ001 - given a zone below
    st.lists(st.text("abc", min_size=1, max_size=60), min_size=1, max_size=20),
    st.lists(st.from_regex(r"[a-z]{1,20}\.example", fullmatch=True), max_size=300),
)
def test_the_end_is_read_whatever_stands_before_and_behind_it(
    tmp_path_factory: pytest.TempPathFactory, ends_at: datetime, names: list[str], hosts: list[str]
) -> None:
    ends_at = ends_at.replace(microsecond=0, tzinfo=UTC)
    path = tmp_path_factory.mktemp("end") / "tls.crt"
    path.write_bytes(b"# ours\n" + certificate(ends_at, names, hosts) + b"# its authority's\n")
    assert end_of_file(str(path)) == ends_at.timestamp()


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"])
def test_a_file_without_a_certificate_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "tls.crt").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        end_of_file(str(tmp_path / "tls.crt"))
