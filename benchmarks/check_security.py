# SPDX-License-Identifier: Apache-2.0
"""Tries config/security with keys: who is heard, who is refused, and who may say what.

The Fast DDS of the ROS 2 wheels from PyPI is built without security, so this does not run our nodes. It makes
a keystore from our policy and governance as `ros2 security` would, and lets participants of a Fast DDS that
has security (Debian's, 2.9) speak on the topics of our nodes, and an unsecured rclpy node beside them:
    apt-get install g++ openssl libfastrtps-dev
    .venv/bin/python benchmarks/check_security.py --out docs/results/security.md
About three minutes. Ends with 1 if anything came out otherwise than it should.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from machine import commit, describe_machine
from security.keystore import make_keystore, topics_of

from anygrasp_bringup.ros_domain import reserved_ros_domain

ROOT = Path(__file__).resolve().parents[1]
SECURITY = ROOT / "config" / "security"
_TALK_S = 8.0  # to find each other, shake hands and be heard
_BOOL = "std_msgs::msg::dds_::Bool_"
_STOP = "rt/anygrasp/emergency_stop"

# What may do harm, as the policy names it, and who is to be allowed to.
_HARMFUL = {
    ("topics", "publish", "/anygrasp/emergency_stop"): {"operator"},
    ("topics", "publish", "/anygrasp/heartbeat"): {"operator"},
    ("services", "request", "/anygrasp/emergency_stop/reset"): {"operator"},
    ("services", "request", "/anygrasp/robot/recover"): {"operator"},
    ("actions", "call", "/anygrasp/pick"): {"operator"},
    ("actions", "call", "/anygrasp/clear_bin"): {"operator", "clear_bin"},
    ("actions", "call", "/anygrasp/catch_fish"): {"operator", "catch_fish"},
    ("actions", "execute", "/anygrasp/pick"): {"bin_picking"},
    ("services", "reply", "/anygrasp/detect"): {"grasp_detection"},
    ("topics", "publish", "/camera/camera/color/image_raw"): {"camera", "cell"},
    ("topics", "publish", "/camera/camera/aligned_depth_to_color/image_raw"): {"camera", "cell"},
    ("topics", "publish", "/tf_static"): {"camera", "cell"},
}

_ROS_NODE = """
import sys, rclpy
from std_msgs.msg import Bool
rclpy.init()
node = rclpy.create_node("outsider", namespace="anygrasp")
heard = []
if sys.argv[1] == "pub":
    stop = node.create_publisher(Bool, "emergency_stop", 10)
    node.create_timer(0.1, lambda: stop.publish(Bool(data=True)))
else:
    node.create_subscription(Bool, "emergency_stop", heard.append, 10)
end_ns = node.get_clock().now().nanoseconds + int(float(sys.argv[2]) * 1e9)
while node.get_clock().now().nanoseconds < end_ns:
    rclpy.spin_once(node, timeout_sec=0.1)
print("ros", len(heard))
"""


@dataclass(frozen=True)
class Participant:
    """One process of the compiled program, or the rclpy node."""

    program: Path | None  # None: rclpy
    domain: int
    keys: Path | None
    topic: str = _STOP
    kind: str = _BOOL

    def start(self, role: str, seconds: float) -> subprocess.Popen[str]:
        """Write ("pub") or read ("sub") for so long."""
        if self.program is None:
            words = [sys.executable, "-c", _ROS_NODE, role, str(seconds)]
        else:
            keys = "-" if self.keys is None else str(self.keys)
            words = [str(self.program), str(self.domain), keys, self.topic, self.kind, role, str(seconds)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def say(self, role: str, seconds: float) -> list[str]:
        """What it prints, see participant.cpp."""
        return self.start(role, seconds).communicate()[0].split()


def heard(reader: Participant, writer: Participant) -> int:
    """How many messages reached the reader."""
    reading, writing = reader.start("sub", _TALK_S), writer.start("pub", _TALK_S)
    words = reading.communicate()[0].split()
    writing.communicate()
    return int(words[1]) if len(words) == 2 else 0  # else: no reader


def main() -> int:
    """Make keys, try everything, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="Markdown file for the tables")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, reserved_ros_domain() as domain:
        here = Path(folder)
        program = here / "participant"
        source = ROOT / "benchmarks" / "security" / "participant.cpp"
        subprocess.run(
            ["g++", "-std=c++14", "-w", str(source), "-o", str(program), "-lfastrtps", "-lfastcdr"],
            check=True,
        )
        enclaves = _keystore(here / "keys")
        others = _keystore(here / "other_keys")
        talks = _talks(program, domain, enclaves, others)
        rights = _rights(program, domain, enclaves)
    bad = sum(not row[-1] for row in (*talks, *rights))
    text = _page(talks, rights, bad)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    return int(bad > 0)


def _keystore(folder: Path) -> dict[str, Path]:
    made = make_keystore(folder, SECURITY / "policy.xml", SECURITY / "governance.xml")
    return {name.rsplit("/", 1)[1]: path for name, path in made.items()}


def _talks(
    program: Path, domain: int, enclaves: dict[str, Path], others: dict[str, Path]
) -> list[tuple[str, str, str, bool]]:
    """Rows: reader, writer, what reached it, whether that is as it should be."""

    def keyed(name: str, **what: str) -> Participant:
        return Participant(program, domain, enclaves[name], **what)

    nobody, stranger = Participant(program, domain, None), Participant(program, domain, others["operator"])
    ros = Participant(None, domain, None)
    detect = {
        "topic": "rq/anygrasp/detectRequest",
        "kind": "anygrasp_msgs::srv::dds_::Detect_Request_",
    }
    images = {
        "topic": "rt/camera/camera/color/image_raw",
        "kind": "sensor_msgs::msg::dds_::Image_",
    }
    pairs = [
        ("no keys", nobody, "rclpy node without keys", ros, True),
        ("`bin_picking`", keyed("bin_picking"), "`operator`", keyed("operator"), True),
        (
            *("`grasp_detection`", keyed("grasp_detection", **detect)),
            *("`bin_picking`", keyed("bin_picking", **detect), True),
        ),
        (
            *("`grasp_detection`", keyed("grasp_detection", **images)),
            *("`camera`", keyed("camera", **images), True),
        ),
        ("`bin_picking`", keyed("bin_picking"), "no keys", nobody, False),
        ("`bin_picking`", keyed("bin_picking"), "rclpy node without keys", ros, False),
        ("`bin_picking`", keyed("bin_picking"), "`operator` of another keystore", stranger, False),
        ("`bin_picking`", keyed("bin_picking"), "`grasp_detection`", keyed("grasp_detection"), False),
        ("no keys", nobody, "`operator`", keyed("operator"), False),
        ("rclpy node without keys", ros, "`operator`", keyed("operator"), False),
    ]
    rows = []
    for reader_name, reader, writer_name, writer, wanted in pairs:
        count = heard(reader, writer)
        print(f"{reader_name} heard {count} of {writer_name}", file=sys.stderr)
        what = f"`{reader.topic}`: {'heard' if count else 'nothing'}"
        rows.append((reader_name, writer_name, what, (count > 0) is wanted))
    forged = enclaves["camera"].with_name("forged")
    forged.mkdir()
    for file in enclaves["camera"].iterdir():
        data = file.read_bytes()
        if file.name == "permissions.p7s":
            data = data.replace(b"rt/camera/camera/color/image_raw", b"rt/anygrasp/emergency_stop/////")
        (forged / file.name).write_bytes(data)
    said = Participant(program, domain, forged).say("pub", 0.0)
    rows.append(
        ("-", "`camera` with its permissions changed by hand", " ".join(said), said == ["no_participant"])
    )
    return rows


def _rights(program: Path, domain: int, enclaves: dict[str, Path]) -> list[tuple[str, str, bool]]:
    """Rows: what, who was let, whether these are the right ones."""
    rows = []
    for (kind, direction, name), wanted in _HARMFUL.items():
        topic = next(topic for way, topic in topics_of(kind, direction, name) if way == "publish")
        let = set()
        for enclave, keys in enclaves.items():
            said = Participant(program, domain, keys, topic=topic).say("pub", 0.0)
            if not said or said[0] == "no_participant":
                raise RuntimeError(f"{enclave} cannot take part at all: {said}")
            if said[0] != "no_endpoint":
                let.add(enclave)
        print(f"{direction} {name}: {sorted(let)}", file=sys.stderr)
        rows.append((f"{direction} `{name}`", ", ".join(f"`{one}`" for one in sorted(let)), let == wanted))
    return rows


def _page(talks: list[tuple[str, str, str, bool]], rights: list[tuple[str, str, bool]], bad: int) -> str:
    def verdict(good: bool) -> str:
        return "good" if good else "**bad**"

    lines = [
        "# ROS 2 security, tried with keys",
        "",
        f"`benchmarks/check_security.py` at commit {commit()}; {describe_machine()}; "
        f"{len(talks) + len(rights)} checks, {bad} bad.",
        "",
        "The wheels of ROS 2 from PyPI are built without DDS security, so our nodes themselves were not run",
        "with it. Keys, certificates and permissions were made in the layout of `ros2 security` from",
        "[policy.xml](../../config/security/policy.xml) and",
        "[governance.xml](../../config/security/governance.xml), and used by participants of Debian's Fast",
        "DDS 2.9 on the DDS topics of our nodes.",
        "",
        "| reader | writer | outcome | verdict |",
        "|---|---|---|---|",
        *(f"| {reader} | {writer} | {what} | {verdict(good)} |" for reader, writer, what, good in talks),
        "",
        "Of all enclaves of the policy, these were let:",
        "",
        "| what | who | verdict |",
        "|---|---|---|",
        *(f"| {what} | {who} | {verdict(good)} |" for what, who, good in rights),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
