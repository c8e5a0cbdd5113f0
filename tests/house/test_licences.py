"""What a plain install brings along may be used and passed on by anyone."""

import re
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

GPL = re.compile(r"\bA?GPL|Affero|General Public License", re.IGNORECASE)
LESSER = re.compile(r"\bLGPL|Lesser General Public|Library General Public", re.IGNORECASE)
LONGEST_NAME = 100
"""A longer License field is a licence text, which may quote the licences of compiled-in parts with exceptions."""


def installed_with(package: str, *extras: str) -> set[str]:
    """Names of the distributions that ``pip install package[extras]`` brings, itself left out."""
    todo, seen = [(package, extras)], set()
    while todo:
        name, wanted = todo.pop()
        for text in metadata.distribution(name).requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is not None and not any(marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                continue
            step = (canonicalize_name(requirement.name), tuple(sorted(requirement.extras)))
            if step not in seen:
                seen.add(step)
                todo.append(step)
    return {name for name, _ in seen} - {canonicalize_name(package)}


def stated_licence(package: str) -> str:
    """Everything short that the metadata of a distribution says about its licence."""
    about = metadata.metadata(package)
    stated = [about.get("License-Expression") or "", about.get("License") or ""]
    classifiers = [c for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    return "; ".join(text for text in [*stated, *classifiers] if text and len(text) <= LONGEST_NAME)


def test_a_plain_install_brings_nothing_under_the_gpl_or_lgpl():
    packages = installed_with("cop-imaging")
    assert {"numpy", "simpleitk", "pydicom", "typer"} <= packages
    assert {p: stated_licence(p) for p in packages if GPL.search(stated_licence(p))} == {}


def test_the_extras_bring_nothing_under_the_gpl():
    packages = installed_with("cop-imaging", "train", "notebook", "test", "dev")
    assert {"torch", "pytest", "ruff"} <= packages
    found = {p: stated_licence(p) for p in packages}
    assert {p: text for p, text in found.items() if GPL.search(LESSER.sub("", text))} == {}


def test_every_package_of_a_plain_install_states_a_licence():
    assert [p for p in installed_with("cop-imaging") if not stated_licence(p)] == []


def test_a_plain_install_brings_no_torch():
    assert not {"torch", "scikit-learn", "pytest", "jupyter-client"} & installed_with("cop-imaging")
