# SPDX-License-Identifier: Apache-2.0
"""`python -m anygrasp_sim.emulators.flexiv_dump`: the API of the installed flexivrdk, as a stub file.

How `flexivrdk_1_9_1.pyi` was made: run it where flexivrdk has a wheel (Python 3.10 or 3.12), then
`ruff check --fix` and `ruff format`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

__all__ = ["stub_lines"]

# Types that Python cannot name, as the module's docstrings spell them.
_FOREIGN = {
    r"flexivrdk\.flexivrdk\.": "",
    r"flexiv::rdk::": "",
    r"FixedSize\((\d+)\)": r"\1",
    r"std::chrono::time_point<.*>": "datetime",
    r"numpy\.ndarray\[numpy\.float64\[[^]]*\]\]": "object",
    r"Eigen::Transform<[^>]*>": "object",
    r"array\(\[.*?\]\)": "...",
    r"\blist\[": "_list[",  # several classes have a method `list`
}


def stub_lines(module: object) -> Iterator[str]:
    """Lines of a stub with every class of the module: its enum values, its fields, its signatures."""
    yield "# SPDX-License-Identifier: Apache-2.0"
    yield f'"""Facts of flexivrdk {module.__version__}: names, arguments, types."""'  # type: ignore[attr-defined]
    yield "from builtins import list as _list"
    yield "from datetime import datetime"
    yield "from enum import Enum"
    yield "from typing import Annotated, Union, overload"
    for name, value in sorted(vars(module).items()):
        if isinstance(value, type):
            yield from _class_lines(name, value)


def _class_lines(name: str, kind: type) -> Iterator[str]:
    members = getattr(kind, "__members__", None)
    yield f"class {name}{'' if members is None else '(Enum)'}:"
    if members is not None:
        for member, value in members.items():
            yield f"    {member} = {value.value}"
        return
    for attribute, value in sorted(vars(kind).items()):
        if isinstance(value, property):
            yield f"    {attribute}: {_python((value.fget.__doc__ or '').split('->')[1])}"
    for attribute, value in sorted(vars(kind).items()):
        public = attribute == "__init__" or not attribute.startswith("_")
        if public and callable(value) and not isinstance(value, type):
            yield from _method_lines(attribute, value.__doc__ or "")


def _method_lines(name: str, doc: str) -> Iterator[str]:
    signatures = re.findall(rf"^(?:\d+\. )?{name}\((self.*)\) -> (.*)$", doc, re.MULTILINE)
    for arguments, returned in signatures:
        if len(signatures) > 1:
            yield "    @overload"
        # An argument without a name of its own is taken by position only.
        text = re.sub(r"^self: [\w.:]*", "self", _python(arguments))
        text += ", /" if re.search(r"\barg\d: ", text) else ""
        yield f"    def {name}({text}) -> {_python(returned)}: ..."


def _python(text: str) -> str:
    for pattern, replacement in _FOREIGN.items():
        text = re.sub(pattern, replacement, text)
    return text.strip()


if __name__ == "__main__":
    print("\n".join(stub_lines(importlib.import_module("flexivrdk"))))
