# SPDX-License-Identifier: Apache-2.0
"""Whether packets get out of this machine, back into it, and to the robot by a wire."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from pathlib import Path

from anygrasp_bringup.doctor.finding import Finding, ok, problem, warning
from anygrasp_bringup.doctor.settings import DoctorSettings

__all__ = ["check", "check_ros_variables", "judge_way", "loopback", "multicast", "way_to"]

_LOCALHOST = "127.0.0.1"
_GROUP = "239.255.0.1"  # where DDS looks for others
_SYS_NET = Path("/sys/class/net")
_WAIT_S = 1.0
_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B
_SLOW_MBIT_S = 100
_HIGHEST_DOMAIN = 101


def check(settings: DoctorSettings) -> list[Finding]:
    """See module."""
    findings = [loopback(), multicast(_LOCALHOST), _interfaces(), *check_ros_variables(dict(os.environ))]
    if "robot" in settings.asked and settings.flexiv is None:
        findings += way_to(settings.ur.robot_ip)
    if settings.flexiv is not None:
        mine = {address for address, _ in _addresses().values()}
        findings += [
            problem(
                f"arm.network_interfaces names {address}, which is no address of this machine "
                f"({', '.join(sorted(mine))})",
                "name this machine's address on the robot's network",
            )
            for address in settings.flexiv.network_interfaces
            if address not in mine
        ]
    return findings


def loopback() -> Finding:
    """A datagram to this machine comes back."""
    try:
        with _socket() as ours, _socket() as theirs:
            theirs.bind((_LOCALHOST, 0))
            ours.sendto(b"doctor", theirs.getsockname())
            theirs.recv(16)
    except OSError as error:
        return problem(
            f"loopback is dead ({error}): no process of this machine can talk to another",
            "`sudo ip link set lo up`, and let the firewall pass lo",
        )
    return ok("loopback works")


def multicast(address: str) -> Finding:
    """A datagram to DDS' group comes back over the interface with that address."""
    try:
        with _socket() as ours, _socket() as theirs:
            theirs.bind((_GROUP, 0))
            member = socket.inet_aton(_GROUP) + socket.inet_aton(address)
            theirs.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            ours.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            ours.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)  # it stays on this machine
            ours.sendto(b"doctor", (_GROUP, theirs.getsockname()[1]))
            theirs.recv(16)
    except OSError as error:
        return warning(
            f"multicast over {address} does not come back ({error})",
            "our nodes find each other without it on one machine; for other nodes `sudo ip link set lo "
            "multicast on`, and let the firewall pass 239.255.0.0/16",
        )
    return ok(f"multicast over {address} works")


def check_ros_variables(environ: dict[str, str]) -> list[Finding]:
    """ROS_DOMAIN_ID and how far nodes look for each other."""
    domain, findings = environ.get("ROS_DOMAIN_ID", "0"), []
    if not (domain.isdigit() and int(domain) <= _HIGHEST_DOMAIN):
        findings.append(
            problem(
                f"ROS_DOMAIN_ID is {domain!r}",
                f"give a whole number from 0 to {_HIGHEST_DOMAIN}, or unset it",
            )
        )
    rmw = environ.get("RMW_IMPLEMENTATION", "")
    if rmw and "fastrtps" not in rmw:
        findings.append(
            warning(f"RMW_IMPLEMENTATION is {rmw}, which was not tested", "unset it: Fast DDS is the default")
        )
    reach = environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST").upper()
    if reach not in ("LOCALHOST", "OFF"):
        findings.append(
            warning(
                f"ROS_AUTOMATIC_DISCOVERY_RANGE is {reach}: anybody on the network may publish to the "
                "robot's nodes",
                "unset it, or secure ROS 2: docs/safety.md",
            )
        )
    return findings or [ok(f"ROS domain {domain}, this machine only")]


def way_to(host: str) -> list[Finding]:
    """Through which interface `host` is reached, whether by a wire and on the same network."""
    try:
        address = socket.gethostbyname(host)
        with _socket() as probe:
            probe.connect((address, 9))  # sends nothing
            mine = probe.getsockname()[0]
    except OSError as error:
        return [
            problem(
                f"no way to the robot at {host}: {error}",
                "give this machine's port to the robot an address on its network, like 192.168.0.2/24 for "
                "192.168.0.10",
            )
        ]
    if ipaddress.ip_address(address).is_loopback:
        return [ok(f"the robot at {host} is on this machine")]
    return judge_way(address, mine, _SYS_NET)


def judge_way(address: str, mine: str, sys_net: Path) -> list[Finding]:
    """The same for a robot that is reached from our own address `mine`."""
    name, network = next(
        ((name, net) for name, (own, net) in _addresses().items() if own == mine), ("?", None)
    )
    findings = []
    if (sys_net / name / "wireless").exists():
        findings.append(
            warning(f"the robot at {address} is reached by Wi-Fi ({name}): moves will stutter", "use a cable")
        )
    if network is not None and ipaddress.ip_address(address) not in network:
        findings.append(
            warning(
                f"the robot at {address} is behind a router, not on the network {network} of {name}",
                "connect it directly or by a switch, and give both addresses on one network",
            )
        )
    speed = _speed_mbit_s(sys_net / name)
    if 0 < speed < _SLOW_MBIT_S:
        findings.append(warning(f"{name} runs at {speed} Mbit/s", "change cable or port"))
    speed_text = f"{speed} Mbit/s" if speed else "speed unknown"
    return findings or [ok(f"the robot at {address} is reached through {name} ({mine}, {speed_text})")]


def _interfaces() -> Finding:
    found = [f"{name} {address}" for name, (address, _) in _addresses().items() if name != "lo"]
    if found:
        return ok(f"interfaces: {', '.join(found)}")
    return warning(
        "no interface with an address but lo", "enough for simulation; a UR or Flexiv needs a cable"
    )


def _addresses() -> dict[str, tuple[str, ipaddress.IPv4Network]]:
    """Address and network of each interface that has any, by name."""
    found = {}
    with _socket() as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                own, mask = (
                    socket.inet_ntoa(fcntl.ioctl(probe.fileno(), code, request)[20:24])
                    for code in (_SIOCGIFADDR, _SIOCGIFNETMASK)
                )
            except OSError:  # has no IPv4 address
                continue
            found[name] = (own, ipaddress.IPv4Network(f"{own}/{mask}", strict=False))
    return found


def _speed_mbit_s(folder: Path) -> int:
    try:
        return int((folder / "speed").read_text())
    except (OSError, ValueError):  # virtual interfaces and Wi-Fi have none
        return 0


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(_WAIT_S)
    return made
