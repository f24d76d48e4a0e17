# SPDX-License-Identifier: Apache-2.0
"""The detection node with the network: start-up, the newest image first, and what it dropped."""

import queue
import sys

import pytest
from detection_bench import TIMEOUT_S, Bench
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Vector3
from tiny_network import tiny_network

from anygrasp_bringup.nodes.qos import RESULTS
from anygrasp_msgs.msg import GraspArray
from anygrasp_perception.network import save_network
from anygrasp_perception.nodes import grasp_detection


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_network(tiny_network(), path)
    return path


@pytest.fixture
def broken(weights):
    path = weights.parent / "broken.safetensors"
    path.write_bytes(weights.read_bytes()[:1000])
    return path


def start(monkeypatch, **parameters):
    parameters = {"detector": "network", **parameters}
    given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    monkeypatch.setattr(sys, "argv", ["grasp_detection", "--ros-args", *given])
    return grasp_detection.main()


def test_missing_weights_end_the_program_at_once_with_the_reason(monkeypatch, capfd):
    assert start(monkeypatch, weights="/nowhere/w.safetensors") == 2
    assert "/nowhere/w.safetensors: no such weights" in "".join(capfd.readouterr())


def test_broken_weights_end_the_program_at_once_with_the_reason(monkeypatch, capfd, broken):
    assert start(monkeypatch, weights=broken) == 2
    assert f"{broken}: not a safetensors file" in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"detector": "psychic"}, "choose one of geometric, network"),
        ({"device": "abacus"}, "'abacus' cannot be used"),
        ({"threads": -1}, "threads must be 0 or more"),
        ({"detector": "geometric"}, "has no use for weights"),
    ],
)
def test_a_detector_that_cannot_be_made_ends_the_program(monkeypatch, capfd, weights, parameters, word):
    assert start(monkeypatch, **{"weights": weights, **parameters}) == 2
    assert word in "".join(capfd.readouterr())


@pytest.fixture(scope="module")
def bench(weights):
    bench = Bench(detector="network", weights=weights)
    yield bench
    bench.close()


def test_the_network_answers_with_its_stages(bench):
    bench.show()
    response = bench.detect(max_grasps=5)
    assert response.error_code == ""
    assert response.grasps.detector == "network"
    assert {"backbone", "seeds", "views", "cylinders", "collision", "total"} <= {
        duration.stage for duration in response.grasps.durations
    }


def test_a_cone_narrower_than_the_views_is_answered(bench):
    bench.show()
    response = bench.detect(use_approach=True, approach=Vector3(z=2.0), approach_cone_rad=0.02, max_grasps=5)
    assert response.error_code == ""
    assert response.grasps.candidates > 0
    assert "approach_direction" not in {count.reason for count in response.grasps.rejected}


def test_the_newest_image_is_worked_on_and_the_others_are_counted_and_published(bench):
    seen, diagnostics = queue.Queue(), queue.Queue()
    subscriptions = [
        bench.node.create_subscription(GraspArray, "grasps", lambda m: seen.put(m.header.stamp.sec), RESULTS),
        bench.node.create_subscription(DiagnosticArray, "/diagnostics", diagnostics.put, RESULTS),
    ]
    bench.show()
    while seen.empty():  # discovery takes a moment, and only listeners make the node detect by itself
        bench.show()
        try:
            seen.get(timeout=1.0)
            break
        except queue.Empty:
            continue
    for _ in range(30):  # faster than any detection
        bench.show()
    stamps = [seen.get(timeout=TIMEOUT_S)]
    while stamps[-1] < bench.stamp_s:
        stamps.append(seen.get(timeout=TIMEOUT_S))
    assert stamps == sorted(set(stamps))
    assert len(stamps) < 30
    values = {}
    while int(values.get("superseded", 0)) == 0:
        status = diagnostics.get(timeout=TIMEOUT_S).status[0]
        values = {pair.key: pair.value for pair in status.values}
    assert int(values["detections"]) >= len(stamps)
    assert float(values["backbone_ms"]) >= 0
    for subscription in subscriptions:
        bench.node.destroy_subscription(subscription)
