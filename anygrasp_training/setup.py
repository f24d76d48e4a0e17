# SPDX-License-Identifier: Apache-2.0
from setuptools import find_packages, setup

setup(
    name="anygrasp_training",
    version="0.1.0",
    description="Procedural objects with physics, for simulation and for training data",
    license="Apache-2.0",
    packages=find_packages(exclude=["test"]),
    package_data={"anygrasp_training": ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/anygrasp_training"]),
        ("share/anygrasp_training", ["package.xml"]),
    ],
    python_requires=">=3.10",
    zip_safe=False,
    extras_require={"dask": ["dask[distributed]"]},
    entry_points={
        "console_scripts": [
            "anygrasp-data = anygrasp_training.data_cli:main",
            "anygrasp-eval = anygrasp_training.eval_cli:main",
            "anygrasp-train = anygrasp_training.train_cli:main",
        ]
    },
)
