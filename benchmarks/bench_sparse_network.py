# SPDX-License-Identifier: Apache-2.0
"""Time the sparse backbone beside MinkowskiEngine, and the whole network by stage.

    python benchmarks/bench_sparse_network.py

A fresh scene each time, its pairs of neighbours included; with one thread and with two, the best of several,
each run begun in an idle moment where there is one. What counts is wall time with several threads and CPU
time with one, which a busy machine prolongs less. The bound is the time of the matrix products alone, in
torch. The goal is 1.7 times MinkowskiEngine's speed on `full`, 1.3 times on `slim`; without the engine
(docs/minkowski.md) its lines are left out.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from bench_detection import make_frame
from machine import describe_machine, wait_idle

from anygrasp_perception import compiled
from anygrasp_perception.network import NETWORK_CONFIGS, GraspNetwork
from anygrasp_perception.network.backbone import SparseUNet
from anygrasp_perception.network.layers import NormalisedLayer, SubmanifoldConv
from anygrasp_perception.network.matmul import CHUNK_ROWS, fast_float32
from anygrasp_perception.network.minkowski_backend import MinkowskiMissingError, MinkowskiUNet
from anygrasp_perception.network.voxel_cloud import VoxelBatch, VoxelCloud, voxelise
from anygrasp_perception.network.voxel_level import VoxelLevel

GOALS = {"full": 1.7, "slim": 1.3}
MAX_VOXELS = 15_000
PREDICT_GOAL_MS = 250.0
WARM_UP = 2


def make_cloud(seed: int) -> VoxelCloud:
    """Voxels of boxes on a plate, as the network sees them."""
    rng = np.random.default_rng(seed)
    points = make_frame(rng).cloud().points
    near = np.abs(points[:, :2]).max(axis=1) < rng.uniform(0.215, 0.225)
    return voxelise(points[near], 0.005, MAX_VOXELS, rng)


def products(network: GraspNetwork, cloud: VoxelCloud) -> list[tuple[int, int, int]]:
    """Rows, inputs and outputs of every matrix product that the backbone asks for, nothing padded."""
    level = VoxelBatch.of([cloud]).level
    below = [level]
    for _ in network.config.encoder_channels:
        below.append(below[-1].down.level)
    sizes: list[tuple[int, int, int]] = []

    def add(layer: NormalisedLayer, level: VoxelLevel) -> None:
        inputs, outputs = layer.weight.shape[1:]
        if isinstance(layer, SubmanifoldConv):
            if layer.kernel == 3:
                chunks = (chunk for block in level.blocks(3) for chunk in block.chunks)
                sizes.extend((len(chunk.source), inputs, outputs) for chunk in chunks)
            else:
                count = int((level.neighbours(layer.kernel) < len(level)).sum())
                sizes.append((count // layer.kernel**3, layer.kernel**3 * inputs, outputs))
        else:
            sizes.append((len(level), inputs, outputs))

    unet = network.backbone
    assert isinstance(unet, SparseUNet)
    add(unet.stem, level)
    for index, (down, block) in enumerate(zip(unet.downs, unet.encoders, strict=True)):
        add(down, below[index])
        for layer in filter(None, [block.first, block.second, block.shortcut]):
            add(layer, below[index + 1])
    for index, (up, block) in enumerate(zip(unet.ups, unet.decoders, strict=True)):
        for layer in filter(None, [up, block.first, block.second, block.shortcut]):
            add(layer, below[-2 - index])
    sizes.append((len(level), unet.out.in_features, unet.out.out_features))
    return sizes


def bound_ms(network: GraspNetwork, cloud: VoxelCloud) -> float:
    """Time of the backbone's matrix products at the best speed that each pair of widths reaches."""
    rows: dict[tuple[int, int], int] = defaultdict(int)
    for count, inputs, outputs in products(network, cloud):
        rows[inputs, outputs] += count
    total = 0.0
    for (inputs, outputs), count in rows.items():
        x, weight = torch.randn(CHUNK_ROWS, inputs), torch.randn(inputs, outputs)
        out = torch.empty(CHUNK_ROWS, outputs)
        seconds = best([lambda x=x, weight=weight, out=out: torch.mm(x, weight, out=out)] * 20)  # type: ignore[misc]
        total += seconds * count / CHUNK_ROWS
    return 1e3 * total


def best(calls: list[Callable[[], object]]) -> float:
    """Shortest wall time of the calls, in seconds."""
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


@contextmanager
def use_threads(count: int, backend: str = "ours") -> Iterator[None]:
    """Compute with so many threads; ours leaves one of them to torch, as the detector does."""
    torch.set_num_threads(1 if backend == "ours" else count)
    with compiled.threads(count):
        yield


def forward_ms(network: GraspNetwork, cloud: VoxelCloud, max_wait_s: float) -> tuple[float, float]:
    """Wall and CPU time of one forward pass of the backbone, on tables not built yet."""
    batch = VoxelBatch.of([cloud])
    wait_idle(max_wait_s)
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.inference_mode(), fast_float32():
        network.backbone(batch.features, batch.level)
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def compare(name: str, clouds: list[VoxelCloud], threads: list[int], max_wait_s: float) -> None:
    """Print the times of one config's backbone, ours and MinkowskiEngine's, and their ratio."""
    torch.manual_seed(0)
    ours = GraspNetwork(NETWORK_CONFIGS[name]).fold()
    networks = {"ours": ours}
    try:
        assert isinstance(ours.backbone, SparseUNet)
        theirs = GraspNetwork(NETWORK_CONFIGS[name]).fold()
        theirs.backbone = MinkowskiUNet(ours.backbone)
        networks["minkowski"] = theirs
    except MinkowskiMissingError as error:
        print(f"{name}: {error}")
    times: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for index, cloud in enumerate(clouds):
        for count in threads:
            for backend, network in networks.items():
                with use_threads(count, backend):
                    measured = forward_ms(network, cloud, max_wait_s)
                if index >= WARM_UP:
                    times[backend, count].append(measured)
    flops = 2 * sum(rows * inputs * outputs for rows, inputs, outputs in products(ours, clouds[-1]))
    print(f"{name}: {flops / 1e9:.1f} GFLOP in products")
    shortest: dict[str, float] = {}
    for (backend, count), values in times.items():
        wall, cpu = np.array(values).T
        # MinkowskiEngine computes with all threads that OpenMP gives it, whatever torch is set to.
        fastest = float(cpu.min() if count == 1 and backend == "ours" else wall.min())
        shortest[backend] = min(fastest, shortest.get(backend, fastest))
        print(
            f"  {backend}, {count} thread(s): wall min {wall.min():.0f} ms, median {np.median(wall):.0f} ms; "
            f"CPU min {cpu.min():.0f} ms, median {np.median(cpu):.0f} ms"
        )
        if backend == "ours":
            torch.set_num_threads(count)
            wait_idle(max_wait_s)
            with torch.inference_mode(), fast_float32():
                bound = bound_ms(ours, clouds[-1])
            print(f"    its matrix products alone {bound:.0f} ms: {fastest / bound:.2f} times that")
    if "minkowski" in shortest:
        ratio = shortest["minkowski"] / shortest["ours"]
        verdict = "met" if ratio >= GOALS[name] else "MISSED"
        print(f"  {ratio:.2f} times as fast as MinkowskiEngine; goal {GOALS[name]} {verdict}")


def time_stages(clouds: list[VoxelCloud], threads: list[int], max_wait_s: float) -> None:
    """Print wall time by stage of the slim network, when it finds an object everywhere: 1024 seeds."""
    torch.manual_seed(0)
    network = GraspNetwork(NETWORK_CONFIGS["slim"])
    with torch.no_grad():
        network.point_head.out.weight.mul_(0)
        network.point_head.out.bias.copy_(torch.tensor([0.0, 2.0, 0.5]))
    network.fold()
    for count in threads:
        stages: dict[str, list[float]] = defaultdict(list)
        for index, cloud in enumerate(clouds):
            wait_idle(max_wait_s)
            wall, cpu = time.perf_counter(), time.process_time()
            with use_threads(count):
                prediction = network.predict(cloud, np.random.default_rng(0))
            if index >= WARM_UP:
                stages["CPU of all"].append(time.process_time() - cpu)
                stages["all"].append(time.perf_counter() - wall)
                for stage, seconds in prediction.durations_s.items():
                    stages[stage].append(seconds)
        parts = ", ".join(f"{stage} {1e3 * min(values):.0f}" for stage, values in stages.items())
        fastest = 1e3 * min(stages["CPU of all" if count == 1 else "all"])
        print(
            f"slim, whole network, {len(prediction.seeds)} seeds, {count} thread(s): min ms {parts}; "
            f"goal {PREDICT_GOAL_MS:.0f} ms {'met' if fastest <= PREDICT_GOAL_MS else 'MISSED'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--configs", nargs="+", default=["slim", "full"], choices=sorted(GOALS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--max-wait", type=float, default=3.0, help="seconds to wait for an idle moment")
    arguments = parser.parse_args()
    print(describe_machine())
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"torch {torch.__version__}, {capability}; load average {os.getloadavg()[0]:.1f}")
    clouds = [make_cloud(seed) for seed in range(arguments.runs + WARM_UP)]
    print(f"{min(map(len, clouds))} to {max(map(len, clouds))} voxels")
    time_stages(clouds, arguments.threads, arguments.max_wait)
    for name in arguments.configs:
        compare(name, clouds, arguments.threads, arguments.max_wait)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
