# SPDX-License-Identifier: Apache-2.0
"""The GraspNet-1Billion layout on disk, extended; one reader for ours and for the real dataset."""

from anygrasp_training.dataset.errors import DatasetError, DatasetWriteError
from anygrasp_training.dataset.layout import CAMERAS, DatasetLayout
from anygrasp_training.dataset.reader import DatasetFrame, GraspDataset

__all__ = ["CAMERAS", "DatasetError", "DatasetFrame", "DatasetLayout", "DatasetWriteError", "GraspDataset"]
