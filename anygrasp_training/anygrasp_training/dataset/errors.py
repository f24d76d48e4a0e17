# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a dataset on disk; each message names the file and the fix."""

__all__ = ["DatasetError", "DatasetWriteError"]


class DatasetError(RuntimeError):
    """A dataset folder or file that cannot be used."""


class DatasetWriteError(DatasetError):
    """A file that could not be written: a full disk, a missing permission."""
