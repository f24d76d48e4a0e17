# SPDX-License-Identifier: Apache-2.0
from glob import glob

from setuptools import find_packages, setup

setup(
    name="anygrasp_bringup",
    version="0.1.0",
    description="Launch files, configuration and the ROS support that all nodes share",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"anygrasp_bringup": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/anygrasp_bringup"]),
        ("share/anygrasp_bringup", ["package.xml"]),
        ("share/anygrasp_bringup/launch", sorted(glob("launch/*.launch.py"))),
        ("share/anygrasp_bringup/config", sorted(glob("config/*.*"))),
        ("share/anygrasp_bringup/config/security", sorted(glob("config/security/*.xml"))),
    ],
    python_requires=">=3.10",
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "launch_runner = anygrasp_bringup.launch_runner.cli:main",
        ]
    },
)
