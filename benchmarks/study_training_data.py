# SPDX-License-Identifier: Apache-2.0
"""What the network learns from: depth with and without a sensor's errors, and a tenth of the data.

Paper VII-A and VII-C. Trains the network anew for each kind of data, equally long, and measures it on
held-out objects seen through simulated stereo matching. An interrupted study goes on where it stopped.

    anygrasp-data scenes --out novel_stereo --count 20 --views 2 --objects 40 --split novel --seed 105 \\
        --sensor d415-stereo --no-labels
    .venv/bin/python benchmarks/study_training_data.py --dataset train --test novel_stereo \\
        --runs runs/study --out training_data.md
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import torch
from machine import commit, describe_machine
from tqdm import tqdm

from anygrasp_perception.network.weights import load_network
from anygrasp_training.training.validation import validate

VARIANTS = {
    "all, sensor model": [],
    "Gaussian noise": ["--depth", "gaussian"],
    "clean depth": ["--depth", "clean"],
    "a tenth of the scenes": ["--scene-share", "0.1"],
    "a tenth of the views": ["--view-share", "0.1"],
    "a tenth of the labels": ["--label-share", "0.1"],
}
BATCH = 2
SEED = 1


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True, help="training scenes with labels")
    parser.add_argument("--test", type=Path, required=True, help="held-out scenes")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs, kept between calls")
    parser.add_argument("--steps", type=int, default=240, help=f"of {BATCH} images, each run (default: 240)")
    parser.add_argument("--frames", type=int, default=40, help="of the test, spread over it (default: 40)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--out", type=Path, help="Markdown file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in tqdm(options.variants, desc="kinds of data", unit="kind"):
        measured = options.runs / _slug(name) / "measured.json"
        if not measured.is_file():
            measured.parent.mkdir(parents=True, exist_ok=True)
            figures = _measure(_train(options, name), options.test, options.frames)
            measured.write_text(json.dumps({**figures, "steps": options.steps, "commit": commit()}))
        elif json.loads(measured.read_text())["steps"] != options.steps:
            parser.error(
                f"{measured.parent} was trained for other than {options.steps} steps: give other --runs"
            )
    text = _page(options)
    print(text)
    if options.out:
        options.out.write_text(text)
    return 0


def _train(options: argparse.Namespace, name: str) -> Path:
    """Weights after training on one kind of data."""
    folder = options.runs / _slug(name)
    command = [sys.executable, "-m", "anygrasp_training.train_cli", "geometry", "--config", "slim"]
    command += ["--dataset", str(options.dataset), "--out", str(folder), "--resume"]
    command += ["--steps", str(options.steps), "--batch", str(BATCH), "--seed", str(SEED), *VARIANTS[name]]
    subprocess.run(command, check=True)
    return folder / "geometry.safetensors"


def _measure(weights: Path, test: Path, frames: int) -> dict[str, float]:
    result = validate(load_network(weights), test, frames, weights.with_name("grasps.png"))
    return {"ap": result.ap, "coverage": result.coverage, "frames": result.frames}


def _page(options: argparse.Namespace) -> str:
    rows = ["| trained on | AP | coverage | steps | frames | commit |", "|---|---|---|---|---|---|"]
    for name in VARIANTS:
        file = options.runs / _slug(name) / "measured.json"
        if file.is_file():
            it = json.loads(file.read_text())
            rows.append(
                f"| {name} | {it['ap']:.1f} | {it['coverage']:.1f} | {it['steps']} | {it['frames']} | "
                f"{it['commit']} |"
            )
    return "\n".join([*rows, "", f"{describe_machine()}.", ""])


def _slug(name: str) -> str:
    return name.replace(",", "").replace(" ", "_").lower()


if __name__ == "__main__":
    raise SystemExit(main())
