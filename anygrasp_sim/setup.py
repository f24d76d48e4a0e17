# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="anygrasp_sim",
    version="0.1.0",
    description="MuJoCo cells with a simulated depth camera and emulated robot controllers",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"anygrasp_sim": ["py.typed", "emulators/*.pyi"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/anygrasp_sim"]),
        ("share/anygrasp_sim", ["package.xml"]),
    ],
    python_requires=">=3.10",
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "cell = anygrasp_sim.nodes.cell:main",
        ]
    },
)
