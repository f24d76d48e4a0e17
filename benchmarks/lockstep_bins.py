# SPDX-License-Identifier: Apache-2.0
"""Bins cleared in lock-step, one process a job, each seed's report kept as JSON so that a run can go on."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from anygrasp_bringup.config_files import load_node_config
from anygrasp_perception.detector import Detector
from anygrasp_perception.nodes.grasp_detection_config import GraspDetectionConfig
from anygrasp_sim.cell_config import CellConfig
from robot_drivers.bin_picking_config import BinPickingNodeConfig
from robot_drivers.executors.pick_record import PickRecord, PickStage
from robot_drivers.lockstep.eyes import EyesConfig
from robot_drivers.lockstep.run import clear_bin_in_lockstep
from robot_drivers.report.contact_sheet import save_contact_sheet

__all__ = ["CONFIG_FILE", "BinSettings", "clear_bins", "detector_of_bins", "weights_digest"]

CONFIG_FILE = Path(__file__).resolve().parents[1] / "config" / "bin_picking.yaml"


@dataclass(frozen=True)
class BinSettings:
    """What a run depends on besides its seed."""

    detector: str  # "geometric" or "network"
    split: str  # "train", "similar", "novel", or "cell" for the cell's own families
    objects: int
    decision_s: float  # simulated time charged for a decision
    max_attempts: int = 0  # 0: until nothing is found any more
    weights: str = ""  # file of the network; empty: the shipped ones
    weights_digest: str = ""
    sheet: bool = False
    commit: str = ""  # of the code

    @property
    def folder(self) -> str:
        """Name of the folder of these runs, the same for the same settings."""
        key = "-".join([self.detector, self.split, str(self.objects), f"{self.decision_s:g}s"])
        key += f"-{self.max_attempts}attempts" if self.max_attempts else ""
        return key + (f"-{self.weights_digest}" if self.weights_digest else "")


def clear_bins(
    settings: BinSettings, seeds: Sequence[int], keep: Path, jobs: int
) -> Iterator[dict[str, Any]]:
    """Yield the report of each seed in turn, read back where it has been run already, with whatever code.

    Raises what a run raises: ValueError, SettleError, RenderingUnavailable, WeightsError.
    """
    folder = keep / settings.folder
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not _is_done(folder, seed, settings)]
    spawn = multiprocessing.get_context("spawn")  # an OpenGL context does not survive a fork
    with ProcessPoolExecutor(jobs, mp_context=spawn) as pool:
        futures = {seed: pool.submit(_clear_bin, settings, seed, folder) for seed in missing}
        for seed in seeds:
            if seed in futures:
                futures[seed].result()
            yield json.loads((folder / f"{seed}.json").read_text())


def weights_digest(path: Path) -> str:
    """The first eight digits of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def _is_done(folder: Path, seed: int, settings: BinSettings) -> bool:
    return (folder / f"{seed}.json").exists() and (not settings.sheet or (folder / f"{seed}.png").exists())


def _clear_bin(settings: BinSettings, seed: int, folder: Path) -> None:
    """Run one seed and write its report, and its sheet of picks where that is wanted."""
    began_cpu_s = time.process_time()
    cell = CellConfig(
        seed=seed, object_count=settings.objects, split="" if settings.split == "cell" else settings.split
    )
    run = clear_bin_in_lockstep(
        cell,
        _detector(settings),
        load_node_config(CONFIG_FILE, "bin_picking", BinPickingNodeConfig),
        EyesConfig(decision_s=settings.decision_s, seed=seed, keep_images=settings.sheet),
        settings.max_attempts,
        lambda stage, record: _tell(stage, record, f"{settings.detector}, seed {seed}"),
    )
    if settings.sheet and run.pictures:
        title = f"{settings.detector}, seed {seed}: {run.report.total.successes} of {len(run.pictures)}"
        save_contact_sheet(folder / f"{seed}.png", run.pictures, title)
    report = run.report.as_dict()
    report["run"] |= {"cpu_s": time.process_time() - began_cpu_s, "settings": asdict(settings)}
    partial = folder / f"{seed}.partial"
    partial.write_text(json.dumps(report, indent=2) + "\n")
    partial.rename(folder / f"{seed}.json")


def _tell(stage: PickStage, record: PickRecord, who: str) -> None:
    if stage is PickStage.DONE:
        verdict = (
            "placed"
            if record.placed
            else f"{record.error_code and record.error_code.value}: {record.error_msg}"
        )
        score = float(record.grasp.scores[0])
        print(f"{who}, attempt {record.attempt}: score {score:.2f}, {verdict}", file=sys.stderr, flush=True)


def _detector(settings: BinSettings) -> Detector:
    return detector_of_bins(settings.detector, settings.weights)


def detector_of_bins(name: str, weights: str = "") -> Detector:
    """A detector as the node has it in bins, but on one thread: more would let runs differ."""
    detection = load_node_config(CONFIG_FILE, "grasp_detection", GraspDetectionConfig)
    return replace(detection, detector=name, weights=weights, threads=1).make_detector()
