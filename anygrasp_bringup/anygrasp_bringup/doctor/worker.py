# SPDX-License-Identifier: Apache-2.0
"""`python -m anygrasp_bringup.doctor.worker`: one check in a process that may hang or crash."""

from __future__ import annotations

import json
import os
import pickle
import sys
from dataclasses import asdict

from anygrasp_bringup.doctor.checks import CHECKS
from anygrasp_bringup.doctor.settings import DoctorSettings

__all__ = ["main"]


def main() -> None:
    """Read (name, settings) from stdin, write the findings as JSON to stdout."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    name, settings = pickle.load(sys.stdin.buffer)
    assert isinstance(settings, DoctorSettings)
    findings = [asdict(finding) for finding in CHECKS[name].load()(settings)]
    with os.fdopen(answer, "w") as stream:
        json.dump(findings, stream)
    sys.stdout.flush()
    os._exit(0)  # a library's thread that hangs must not keep the answer


if __name__ == "__main__":
    main()
