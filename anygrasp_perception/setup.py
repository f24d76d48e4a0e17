# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="anygrasp_perception",
    version="0.1.0",
    description="Grasp detection from depth images: types, detectors, post-processing, nodes, CLI",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"anygrasp_perception": ["py.typed", "weights/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/anygrasp_perception"]),
        ("share/anygrasp_perception", ["package.xml"]),
    ],
    python_requires=">=3.10",
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "camera = anygrasp_perception.nodes.camera:main",
            "grasp_detection = anygrasp_perception.nodes.grasp_detection:main",
            "detect = anygrasp_perception.cli:main",
            "record = anygrasp_perception.cameras.record_cli:main",
            "calibrate = anygrasp_perception.calibration.cli:main",
        ]
    },
)
