# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole_or_not", "write_atomically"]


@contextmanager
def whole_or_not(path: Path) -> Iterator[Path]:
    """Write to the path yielded, which ends as `path` does; it becomes `path` in the end.

    On an error or an interrupt nothing is left, and what was at `path` stays.

    Raises:
        OSError: the folder is missing or not writable, or the disk is full.
    """
    # Beside the target, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".writing-") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)


def write_atomically(path: Path, content: bytes) -> None:
    """Write bytes as `whole_or_not` does; raises as it does."""
    with whole_or_not(path) as temporary:
        temporary.write_bytes(content)
