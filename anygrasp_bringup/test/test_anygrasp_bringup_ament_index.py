# SPDX-License-Identifier: Apache-2.0
import pytest

from anygrasp_bringup.ament_index import PackageNotFound, package_prefix, package_share, register_package


def test_registered_package_is_found_and_its_share_is_the_source(tmp_path, monkeypatch):
    source = tmp_path / "source/arm_pkg"
    (source / "launch").mkdir(parents=True)
    for _ in range(2):  # a second time changes nothing
        register_package(tmp_path / "prefix", source)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path / 'empty'}:{tmp_path / 'prefix'}")
    assert package_prefix("arm_pkg") == tmp_path / "prefix"
    assert (package_share("arm_pkg") / "launch").is_dir()


def test_unknown_package_names_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    with pytest.raises(PackageNotFound, match=rf"'nothing' is in none of the prefixes {tmp_path}"):
        package_prefix("nothing")
