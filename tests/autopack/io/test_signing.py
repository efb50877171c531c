"""Ed25519 keys: what is made, what is refused, and what a signature proves."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.errors import AutopackError, Refused, Unreachable, UsageError
from autopack.io.signing import make_key, public_of, sign, verify

# RFC 8032, section 7.1, test 2.
SECRET = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNED = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "key.pem")
    return tmp_path / "key.pem"


def test_a_new_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        public = make_key(tmp_path / "key.pem")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert public == public_of(tmp_path / "key.pem")
    assert len(public) == 64


def test_a_key_is_never_replaced(key: Path) -> None:
    before = key.read_bytes()
    with pytest.raises(Refused, match="never replaced"):
        make_key(key)
    assert key.read_bytes() == before


def test_a_key_is_not_written_through_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "key.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused):
        make_key(tmp_path / "key.pem")
    assert not (tmp_path / "elsewhere").exists()


def test_no_folder_no_key(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no key was made"):
        make_key(tmp_path / "gone" / "key.pem")


def test_the_standard_s_own_signature_is_made_and_accepted(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pem = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET)).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "key.pem"
    path.write_bytes(pem)
    path.chmod(0o600)
    assert public_of(path) == PUBLIC
    assert sign(path, b"\x72") == SIGNED
    assert verify(PUBLIC, b"\x72", SIGNED)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_key_of_openssl_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.chmod(0o600)
    assert verify(public_of(path), b"data", sign(path, b"data"))


@given(
    data=st.binary(max_size=40), at=st.integers(0, 63), bit=st.integers(0, 7), more=st.booleans()
)
def test_any_other_bit_is_no_signature(data: bytes, at: int, bit: int, more: bool) -> None:
    signature = bytearray(bytes.fromhex(SIGNED))
    signature[at] ^= 1 << bit
    assert not verify(PUBLIC, b"\x72", signature.hex())
    assert verify(PUBLIC, data, SIGNED) is (data == b"\x72")


@pytest.mark.parametrize(
    ("public", "signature"),
    [
        ("", SIGNED),
        (PUBLIC, ""),
        (PUBLIC, "zz" * 64),
        (PUBLIC, SIGNED.upper()),
        (PUBLIC.upper(), SIGNED),
        (PUBLIC, SIGNED[:-2]),
        (PUBLIC, f"{SIGNED}00"),
        (PUBLIC, f" {SIGNED}"),
        ("f" * 64, SIGNED),
    ],
)
def test_nonsense_is_no_signature(public: str, signature: str) -> None:
    assert verify(public, b"\x72", signature) is False


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_read_is_refused(key: Path, mode: int) -> None:
    key.chmod(mode)
    with pytest.raises(Refused, match=f"mode {mode:04o}") as caught:
        sign(key, b"")
    assert caught.value.next_step.startswith(f"chmod 600 {key}")


def test_a_link_to_a_key_is_refused(key: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.pem"
    link.symlink_to(key)
    with pytest.raises(Refused, match="is a link"):
        sign(link, b"")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_somebody_else_is_refused(key: Path) -> None:
    os.chown(key, 12345, -1)
    with pytest.raises(Refused, match="belongs to user 12345"):
        sign(key, b"")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key.pem", 0o600)
    with pytest.raises(Refused, match="no plain file"):
        sign(tmp_path / "key.pem", b"")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").mkdir(mode=0o700)
    with pytest.raises(Refused, match="no plain file"):
        sign(tmp_path / "key.pem", b"")


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no key") as caught:
        public_of(tmp_path / "key.pem")
    assert caught.value.next_step == f"make one: python -m flows.audit key {tmp_path}/key.pem"


def other_kinds() -> dict[str, bytes]:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    ours = ed25519.Ed25519PrivateKey.generate()
    pem, pkcs8, plain = form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    public = form.PublicFormat.SubjectPublicKeyInfo
    locked = form.BestAvailableEncryption(b"x")
    return {
        "another kind": ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, plain),
        "a public key": ours.public_key().public_bytes(pem, public),
        "an encrypted key": ours.private_bytes(pem, pkcs8, locked),
        "nothing": b"",
        "words": b"not a key\n",
    }


@pytest.mark.parametrize("kind", sorted(other_kinds()))
def test_what_is_no_key_of_ours_is_a_usage_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(other_kinds()[kind])
    path.chmod(0o600)
    with pytest.raises(UsageError, match="holds no unencrypted Ed25519 private key") as caught:
        sign(path, b"")
    assert isinstance(caught.value, AutopackError)
