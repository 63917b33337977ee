"""Atomic writes: a file takes its name only when it is complete. Everything that FaceFlow saves goes through here."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_LEFT_BEHIND = re.compile(r"\.faceflow-[0-9]+-[0-9a-f]{16}(\.\w+)?")
_YOUNG = 60.0  # seconds; a younger file may not have its lock yet
_swept: set[Path] = set()  # folders in which this process has looked for files that were left behind


def require_target(path: str | Path, suffixes: tuple[str, ...] = (), what: str = "This") -> Path:
    """The path, if a file may be written there. Call it before the work whose result the file is to hold.

    Args:
        suffixes: endings that are allowed, lower case; none = any.
        what: first words of the message about a wrong ending, for instance ``"A field"``.

    Raises:
        ValueError: the ending is not allowed; or the path is a folder, a symbolic link or a device, or lies below
            something that is no folder.
        PermissionError: the file exists and is write-protected.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{what} cannot be written as {path.name!r}; name a file that ends in {', '.join(suffixes)}.")
    if path.is_symlink():  # it may have been laid there to have something else overwritten
        raise ValueError(f"{path} is a symbolic link, and links are not written through; name the file itself.")
    if path.is_dir() or not path.name:
        raise ValueError(f"{path} is a folder; name a file in it.")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is a device or a pipe; name a file.")
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"{path} is protected against writing; choose another name.")
    for folder in path.absolute().parents:
        if folder.is_dir():
            break
        if folder.exists() or folder.is_symlink():
            raise ValueError(f"{path} cannot be written: {folder} is no folder; choose another name.")
    return path


@contextmanager
def replacing(path: str | Path, *suffixes: str) -> Iterator[Path]:
    """A context manager: a new, empty file for the block to fill, renamed to ``path`` once all of it is on the disk.

    The temporary file lies in the same folder (created if missing), with an unpredictable name and the same ending. An
    existing file is replaced in one step and keeps its mode. If anything fails, an interrupt or a full disk included, the
    existing file stays as it is and the temporary one is removed. Of two writers of one name the later one wins. What a
    killed process leaves behind is removed by the next process that writes into the folder (:func:`remove_left_behind`).

    Args:
        suffixes: as for :func:`require_target`, whose errors are raised.

    Yields:
        the path to write to; it exists, and must exist at the end of the block.
    """
    path = require_target(path, suffixes)
    path.parent.mkdir(parents=True, exist_ok=True)
    if (folder := path.parent.resolve()) not in _swept:
        _swept.add(folder)
        remove_left_behind(folder)
    partial = path.with_name(f".faceflow-{os.getpid()}-{secrets.token_hex(8)}{path.suffix}")
    try:
        # the system gives it the mode that any new file gets; O_EXCL follows no link
        with _locked(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)):
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            require_target(path, suffixes)
            if path.exists():
                partial.chmod(stat.S_IMODE(path.stat().st_mode))
            os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    """Lock an open file for the block, where the system has such locks. A lock ends with its process, however that ends."""
    if fcntl is None:
        os.close(descriptor)  # Windows would not move a file that is open
        yield
        return
    try:
        with suppress(OSError):  # some network disks have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove_left_behind(folder: Path) -> None:
    """Remove the temporary files of processes that were killed.

    A file is removed only if :func:`replacing` named it, it belongs to this user, is a minute old, and nobody holds its
    lock. Without file locks (Windows) nothing is removed.
    """
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not _LEFT_BEHIND.fullmatch(entry.name):
                continue
            with suppress(OSError):
                about = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(about.st_mode) or about.st_uid != os.getuid():
                    continue
                if time.time() - about.st_mtime < _YOUNG:
                    continue
                descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(entry.path)
                finally:
                    os.close(descriptor)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a whole file, as :func:`replacing` says."""
    with replacing(path) as partial:
        partial.write_bytes(data)
