# SPDX-License-Identifier: Apache-2.0
"""One step of the set-up, done again only when what it depends on has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Stage", "fingerprint"]


@dataclass(frozen=True)
class Stage:
    """A named step; its stamp file holds the fingerprint of the last time it went through."""

    name: str
    summary: str
    inputs: Callable[[], Iterable[str | Path]]  # texts, files and folders that the outcome depends on
    product: Path  # must exist for the stage to be done
    run: Callable[[], None]

    def is_done(self, stamps: Path) -> bool:
        """Whether the stage went through with the inputs of now."""
        stamp = stamps / self.name
        return self.product.exists() and stamp.is_file() and stamp.read_text() == fingerprint(self.inputs())

    def carry_out(self, stamps: Path) -> None:
        """Run the stage; the stamp is missing from its start until it has gone through."""
        stamp = stamps / self.name
        stamp.unlink(missing_ok=True)
        self.run()
        stamps.mkdir(parents=True, exist_ok=True)
        stamp.write_text(fingerprint(self.inputs()))


def fingerprint(inputs: Iterable[str | Path]) -> str:
    """Return a hash of texts, of files by content, of folders by the files in them."""
    digest = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            digest.update(f"{item}\0".encode())
            continue
        files = sorted(path for path in item.rglob("*") if path.is_file()) if item.is_dir() else [item]
        for file in files:
            digest.update(f"{file}\0".encode())
            digest.update(file.read_bytes() if file.is_file() else b"missing")
    return digest.hexdigest()
