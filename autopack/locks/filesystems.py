"""Which filesystems keep a kernel lock to one machine, read off the mount table."""

from __future__ import annotations

import re

_NETWORK = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|davfs|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|orangefs"
    r"|pvfs2|smb[23]|smbfs|vboxsf|virtiofs|vmhgfs"
    r"|fuse\.(?:ceph(?:-fuse)?|davfs2?|gcsfuse|glusterfs|goofys|gvfsd-fuse|juicefs|m(?:oose)?fs"
    r"|rclone|s3fs|seaweedfs|smbnetfs|sshfs|vmhgfs-fuse)"
)
"""Types that other machines write to as well, or whose server may lose a lock without a word."""


def filesystem_of(path: str, mountinfo: str) -> str:
    """Return the type of the filesystem that holds `path`; empty when the table does not say.

    Args:
        path: An absolute path without symbolic links.
        mountinfo: The text of `/proc/self/mountinfo`.
    """
    best, kind = "", ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = _plain(fields[4])
        # The later of two mounts on one point covers the earlier one.
        if _holds(point, path) and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind


def _plain(text: str) -> str:
    """Return a field of the table without its escapes, as in `\\040` for a blank."""
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), text)


def _holds(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def is_network(kind: str) -> bool:
    """Return whether a lock on a filesystem of this type may not be the only guard."""
    return _NETWORK.fullmatch(kind) is not None
