# SPDX-License-Identifier: Apache-2.0
"""Every module outside `nodes/` and `ros_conversions.py` imports on a machine without ROS."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

IMPORT_ALL = """
import importlib, importlib.abc, sys

ROS = ("rclpy", "builtin_interfaces", "rcl_interfaces", "ament_index_python", "launch", "launch_ros")

class NoRos(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ROS or top.startswith("tf2_") or top.endswith(("_msgs", "_srvs")):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, NoRos())
failed = []
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except Exception as error:
        failed.append(f"{module}: {type(error).__name__}: {error}")
print("\\n".join(failed))
"""


def ros_free_modules() -> list[str]:
    """Names of all modules of the packages but those where ROS is allowed."""
    modules = []
    for manifest in sorted(ROOT.glob("*/package.xml")):
        source = manifest.parent / manifest.parent.name
        for file in sorted(source.rglob("*.py")):
            parts = file.relative_to(manifest.parent).with_suffix("").parts
            if "nodes" in parts or parts[-1] in ("ros_conversions", "__main__"):
                continue
            modules.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return modules


def test_modules_import_without_ros() -> None:
    modules = ros_free_modules()
    assert "anygrasp_bringup.transform_tree" in modules
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *modules], capture_output=True, text=True, check=True, timeout=120
    )
    assert answer.stdout.strip() == ""
