# SPDX-License-Identifier: Apache-2.0
"""Keys and signed permissions in the layout of `ros2 security`, made by openssl for a trial."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

__all__ = ["make_keystore", "topics_of"]

_DAYS = 30
_GOVERNANCE = "governance.p7s"
_PERMISSIONS = """<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
     xsi:noNamespaceSchemaLocation="http://www.omg.org/spec/DDS-SECURITY/20170901/omg_shared_ca_permissions.xsd">
  <permissions>
    <grant name="{name}">
      <subject_name>CN={name}</subject_name>
      <validity><not_before>2020-01-01T00:00:00</not_before><not_after>2040-01-01T00:00:00</not_after></validity>
      <allow_rule>
        <domains><id_range><min>0</min><max>232</max></id_range></domains>
        <publish><topics>{publish}</topics></publish>
        <subscribe><topics>{subscribe}</topics></subscribe>
      </allow_rule>
      <default>DENY</default>
    </grant>
  </permissions>
</dds>
"""

# How ROS 2 names what belongs to a service and an action on the wire: (served by publishing, by subscribing).
_ACTION_SERVICES = ("send_goal", "cancel_goal", "get_result")
_ACTION_TOPICS = ("feedback", "status")


def make_keystore(folder: Path, policy: Path, governance: Path) -> dict[str, Path]:
    """A certificate authority, and keys and signed files for each enclave of the policy; folders by name."""
    folder.mkdir(parents=True)
    ca, ca_key = folder / "ca.cert.pem", folder / "ca.key.pem"
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", ca_key)
    _openssl("req", "-new", "-x509", "-key", ca_key, "-days", _DAYS, "-subj", "/CN=trial", "-out", ca)
    _sign(governance, folder / _GOVERNANCE, ca, ca_key)
    enclaves = {}
    for enclave in ElementTree.parse(policy).iter("enclave"):
        name = enclave.attrib["path"]
        here = enclaves[name] = folder / "enclaves" / name.strip("/")
        here.mkdir(parents=True)
        key, request = here / "key.pem", here / "request.pem"
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        subject = f"/CN={name.replace('/', chr(92) + '/')}"
        _openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
        signer = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", _DAYS)
        _openssl("x509", "-req", "-in", request, *signer, "-out", here / "cert.pem")
        for copy in ("identity_ca.cert.pem", "permissions_ca.cert.pem"):
            shutil.copy(ca, here / copy)
        shutil.copy(folder / _GOVERNANCE, here / _GOVERNANCE)
        (here / "permissions.xml").write_text(_permissions(name, enclave), encoding="utf-8")
        _sign(here / "permissions.xml", here / "permissions.p7s", ca, ca_key)
    return enclaves


def topics_of(kind: str, direction: str, name: str) -> Iterator[tuple[str, str]]:
    """What an entry of a policy allows on the wire: "publish" or "subscribe", and the DDS topic."""
    match kind, direction:
        case "topics", _:
            yield direction, f"rt{name}"
        case "services", "reply":
            yield from (("subscribe", f"rq{name}Request"), ("publish", f"rr{name}Reply"))
        case "services", _:
            yield from (("publish", f"rq{name}Request"), ("subscribe", f"rr{name}Reply"))
        case _:
            serves = direction == "execute"
            for part in _ACTION_SERVICES:
                yield from topics_of("services", "reply" if serves else "request", f"{name}/_action/{part}")
            for part in _ACTION_TOPICS:
                yield from topics_of("topics", "publish" if serves else "subscribe", f"{name}/_action/{part}")


def _permissions(name: str, enclave: ElementTree.Element) -> str:
    allowed: dict[str, set[str]] = {way: {"ros_discovery_info"} for way in ("publish", "subscribe")}
    for profile in enclave.iter("profile"):
        namespace, node = profile.attrib["ns"].rstrip("/"), profile.attrib["node"]
        for block in profile:
            (direction,) = block.attrib
            for entry in block:
                text = (entry.text or "").strip().replace("~", f"{namespace}/{node}")
                full = text if text.startswith("/") else f"{namespace}/{text}"
                for way, topic in topics_of(block.tag, direction, full):
                    allowed[way].add(topic)
    listed = {way: "".join(f"<topic>{topic}</topic>" for topic in sorted(allowed[way])) for way in allowed}
    return _PERMISSIONS.format(name=name, **listed)


def _sign(source: Path, target: Path, ca: Path, ca_key: Path) -> None:
    _openssl("smime", "-sign", "-text", "-in", source, "-out", target, "-signer", ca, "-inkey", ca_key)


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
