"""A small disk that can be filled: a tmpfs, which takes root to mount."""

import os
import subprocess
from pathlib import Path

from tests.support.servers import UNPRIVILEGED

BALLAST = "ballast"
BLOCK = 65_536


class SmallDisk:
    """A file system of a few megabytes at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, megabytes: int) -> bool:
        """Mount it empty; false when this user may not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            return False
        options = ["-o", f"size={megabytes}m,mode=0777", "tmpfs", str(self.folder)]
        return subprocess.run(["mount", "-t", "tmpfs", *options], check=False).returncode == 0

    def unmount(self) -> None:
        """Take it away with all that it holds, at the latest when the last file on it is closed."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)

    def fill(self) -> int:
        """Leave no byte free; how many it took."""
        path = self.folder / BALLAST
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for size in (BLOCK, 1):
                self._write(handle, b"x" * size)
        finally:
            os.close(handle)
        return path.stat().st_size

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.folder / BALLAST).unlink(missing_ok=True)

    @staticmethod
    def _write(handle: int, block: bytes) -> None:
        try:
            while os.write(handle, block):
                continue
        except OSError:
            return


def owned(folder: Path) -> Path:
    """The folder, made for the user that PostgreSQL runs as."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["chown", ":".join(UNPRIVILEGED), str(folder)], check=True)
    folder.chmod(0o700)
    return folder
