# SPDX-License-Identifier: Apache-2.0
"""The SROS 2 policy covers all names of our nodes, and drivers go to configured addresses only."""

import ast
import fnmatch
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.node import Node

from anygrasp_tracking.nodes.grasp_tracking import GraspTrackingNode
from robot_drivers.nodes.bin_picking import BinPickingNode
from robot_drivers.nodes.catch_fish import CatchFishClient
from robot_drivers.nodes.clear_bin import ClearBinClient
from robot_drivers.nodes.fish_catching import FishCatchingNode

ROOT = Path(__file__).parents[1]
SECURITY = ROOT / "config" / "security"

# What the calls of rclpy create, and where in a policy it is allowed.
CREATED = {
    "create_publisher": ("topics", "publish"),
    "create_subscription": ("topics", "subscribe"),
    "create_service": ("services", "reply"),
    "create_client": ("services", "request"),
    "ActionServer": ("actions", "execute"),
    "ActionClient": ("actions", "call"),
}
Rule = tuple[str, str]


def allowed() -> dict[tuple[str, str], dict[Rule, set[str]]]:
    """Names by (namespace, node), then by kind and direction."""
    profiles: dict[tuple[str, str], dict[Rule, set[str]]] = {}
    for profile in ElementTree.parse(SECURITY / "policy.xml").iter("profile"):
        rules = profiles.setdefault((profile.attrib["ns"], profile.attrib["node"]), defaultdict(set))
        for block in profile:
            (direction,) = block.attrib
            assert block.attrib[direction] == "ALLOW"
            rules[block.tag, direction] |= {(name.text or "").strip() for name in block}
    return profiles


def source_names() -> Iterator[tuple[str, Rule, str]]:
    """File, rule and name pattern of everything that a node's source creates."""
    for path in sorted(ROOT.glob("*/*/nodes/*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            function = (
                call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            )
            if function not in CREATED or len(call.args) < 2:
                continue
            name = call.args[2 if function.startswith("Action") else 1]
            match name:
                case ast.Constant(value=str() as text):
                    yield path.name, CREATED[function], text
                case ast.JoinedStr(values=parts):
                    texts = [part.value if isinstance(part, ast.Constant) else "*" for part in parts]
                    yield path.name, CREATED[function], "".join(map(str, texts))


def test_the_policy_covers_every_name_that_the_sources_create():
    everybody: dict[Rule, set[str]] = defaultdict(set)
    for rules in allowed().values():
        for rule, names in rules.items():
            everybody[rule] |= names
    found = list(source_names())
    assert len(found) > 25
    missing = [
        (file, rule, pattern)
        for file, rule, pattern in found
        if not any(fnmatch.fnmatch(name, pattern) for name in everybody[rule])
    ]
    assert missing == [], "add these to config/security/policy.xml"


@pytest.mark.parametrize(
    ("make_node", "parameter"),
    [
        (BinPickingNode, "dry_run:=false"),
        (CatchFishClient, "max_catches:=0"),
        (ClearBinClient, "seed:=0"),
        (FishCatchingNode, "sim:=false"),  # which shows nothing of a simulated cell
        (GraspTrackingNode, "use_sim_time:=true"),
    ],
)
def test_a_running_node_has_nothing_that_its_own_profile_does_not_allow(make_node, parameter):
    given = ["-p", "use_sim_time:=true", "-p", parameter]
    rclpy.init(args=["--ros-args", "-r", "__ns:=/anygrasp", *given])
    try:
        node = make_node()
        try:
            rules = allowed()[node.get_namespace(), node.get_name()]
            denied = [
                (rule, name) for rule, name in graph_names(node) if name not in absolute(rules[rule], node)
            ]
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
    assert denied == []


def absolute(names: set[str], node: Node) -> set[str]:
    def resolved(name: str) -> str:
        name = name.replace("~", node.get_fully_qualified_name())
        return name if name.startswith("/") else f"{node.get_namespace()}/{name}"

    return {resolved(name) for name in names}


def graph_names(node: Node) -> Iterator[tuple[Rule, str]]:
    """What the node has, as the rules name it; the parts of an action are the action."""
    here = (node.get_name(), node.get_namespace())
    for found, rule, action_rule in (
        (node.get_publisher_names_and_types_by_node, ("topics", "publish"), None),
        (node.get_subscriber_names_and_types_by_node, ("topics", "subscribe"), None),
        (node.get_service_names_and_types_by_node, ("services", "reply"), ("actions", "execute")),
        (node.get_client_names_and_types_by_node, ("services", "request"), ("actions", "call")),
    ):
        for name, _ in found(*here):
            action, is_action, _ = name.partition("/_action/")
            if not is_action:
                yield rule, name
            elif action_rule is not None:
                yield action_rule, action


def test_governance_lets_nobody_in_without_a_certificate_and_encrypts_everything():
    tree = ElementTree.parse(SECURITY / "governance.xml")
    assert [element.text for element in tree.iter("allow_unauthenticated_participants")] == ["false"]
    assert [element.text for element in tree.iter("enable_join_access_control")] == ["true"]
    for name in ("enable_read_access_control", "enable_write_access_control"):
        assert [element.text for element in tree.iter(name)] == ["true"]
    for name in ("metadata_protection_kind", "data_protection_kind"):
        assert [element.text for element in tree.iter(name)] == ["ENCRYPT"]


def test_only_nodes_that_move_an_arm_offer_actions_and_only_the_operator_and_their_clients_call_them():
    profiles = allowed()
    executing = {node for (_, node), rules in profiles.items() if rules["actions", "execute"]}
    calling = {node for (_, node), rules in profiles.items() if rules["actions", "call"]}
    assert executing == {"bin_picking", "fish_catching"}
    assert calling == {"operator", "clear_bin", "catch_fish"}


# A driver that binds or connects elsewhere would be a hole in a robot's network.
DRIVERS = [ROOT / "robot_drivers" / "robot_drivers", ROOT / "anygrasp_sim" / "anygrasp_sim" / "emulators"]


def test_drivers_bind_and_connect_to_configured_addresses_only():
    for folder in DRIVERS:
        for path in sorted(folder.rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            assert not re.search(r"0\.0\.0\.0|INADDR_ANY|\.bind\(\(\"\"|gethostbyname", source), path
            literals = set(re.findall(r"\"(\d+\.\d+\.\d+\.\d+)\"", source))
            assert literals <= {"127.0.0.1"}, path  # the default, which is nobody else
