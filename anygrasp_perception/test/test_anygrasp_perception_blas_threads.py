# SPDX-License-Identifier: Apache-2.0
"""Detectors leave BLAS one thread, and give the others back."""

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from anygrasp_perception.cloud import PointCloud
from anygrasp_perception.detector import DetectionRequest
from anygrasp_perception.geometric_detector import GeometricDetector
from anygrasp_perception.network_detector import NetworkDetector


def blas_threads():
    return [
        library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"
    ]


@pytest.mark.parametrize("detector", [GeometricDetector(), NetworkDetector()], ids=["geometric", "network"])
def test_a_detection_computes_on_one_blas_thread_and_leaves_the_rest_as_it_was(detector, monkeypatch):
    name = type(detector).__module__ + ".check_request"
    seen = []
    monkeypatch.setattr(name, lambda *_: seen.append(blas_threads()))
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = blas_threads()
        x, y = np.meshgrid(np.linspace(-0.1, 0.1, 40), np.linspace(-0.1, 0.1, 40))
        cloud = PointCloud(np.stack([x, y, np.full_like(x, 0.5)], axis=-1).reshape(-1, 3).astype(np.float32))
        detector.detect(cloud, DetectionRequest())
        assert blas_threads() == before
    assert len(seen[0]) > 0
    assert set(seen[0]) == {1}
