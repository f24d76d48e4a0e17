# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from anygrasp_bringup.commands import fish_catching


def test_defaults_are_the_paper_s_experiment():
    options = fish_catching.parse([])
    assert (options.trials, options.fish, options.policy, options.prediction) == (5, 8, "association", True)
    assert options.detector == "network"
    assert options.report is None


def test_options_are_read():
    words = "--trials 2 --seed 3 --policy nearest --no-prediction --headless --max-attempts 4 --report r.json"
    options = fish_catching.parse(words.split())
    assert (options.trials, options.seed, options.max_attempts) == (2, 3, 4)
    assert (options.policy, options.prediction, options.report) == ("nearest", False, Path("r.json"))


@pytest.mark.parametrize(
    "words", [["--trials", "0"], ["--seed", "-1"], ["--policy", "luck"], ["--fish", "x"]]
)
def test_bad_option_is_refused(words, capsys):
    with pytest.raises(SystemExit) as end:
        fish_catching.parse(words)
    assert end.value.code == 2
    assert "usage: ./run fish_catching" in capsys.readouterr().err
