# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="anygrasp_tracking",
    version="0.1.0",
    description="Grasp correspondence over time, motion prediction and the tracking node",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"anygrasp_tracking": ["py.typed", "weights/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/anygrasp_tracking"]),
        ("share/anygrasp_tracking", ["package.xml"]),
    ],
    python_requires=">=3.10",
    zip_safe=False,
    entry_points={"console_scripts": ["grasp_tracking = anygrasp_tracking.nodes.grasp_tracking:main"]},
)
