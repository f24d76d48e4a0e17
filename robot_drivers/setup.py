# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="robot_drivers",
    version="0.1.0",
    description="UR5, Flexiv and Robotiq 2F-85 drivers, safety limits, executors and their nodes",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"robot_drivers": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/robot_drivers"]),
        ("share/robot_drivers", ["package.xml"]),
    ],
    python_requires=">=3.10",
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "bin_picking = robot_drivers.nodes.bin_picking:main",
            "catch_fish = robot_drivers.nodes.catch_fish:main",
            "clear_bin = robot_drivers.nodes.clear_bin:main",
            "fish_catching = robot_drivers.nodes.fish_catching:main",
        ]
    },
)
