"""What a plain install brings along may be used and passed on by anyone."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[2]
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
    packages = installed_with("cop-imaging", "train", "notebook", "cluster", "dicomweb", "pacs", "test", "dev")
    assert {"torch", "pytest", "ruff"} <= packages
    found = {p: stated_licence(p) for p in packages}
    assert {p: text for p, text in found.items() if GPL.search(LESSER.sub("", text))} == {}


def test_every_package_of_a_plain_install_states_a_licence():
    assert [p for p in installed_with("cop-imaging") if not stated_licence(p)] == []


def test_a_plain_install_brings_no_torch():
    assert not {"torch", "scikit-learn", "pytest", "jupyter-client"} & installed_with("cop-imaging")


def bundled_libraries(packages: set[str]) -> set[str]:
    """Names of the shared libraries that travel in the wheels, without their digests and versions."""
    files = [file for package in packages for file in metadata.files(package) or []]
    inside = [file.name for file in files if re.search(r"\.libs$|^\.dylibs$", file.parent.name)]
    return {re.split(r"-[0-9a-f]{8}|\.(?:so|dll|dylib)|\.\d", name)[0] for name in inside}


@pytest.mark.skipif(sys.platform != "linux", reason="the shared libraries were looked up in the wheels for Linux")
def test_every_shared_library_of_a_plain_install_is_named_with_its_licence():
    named = set(re.findall(r"`(lib[\w-]+)`", (CHECKOUT / "docs" / "licences.md").read_text(encoding="utf-8")))
    found = bundled_libraries(installed_with("cop-imaging"))
    assert {"libcharls", "libopenjp2"} <= found
    assert sorted(found - named) == []


def test_no_decoder_under_the_gpl_or_lgpl_is_bundled():
    names = [file.name.lower() for file in metadata.files("imagecodecs") or []]
    copyleft = re.compile(r"^(lib|_)(heif|x265|x264|de265|kvazaar|lzo2|raw)\b")
    assert [name for name in names if copyleft.search(name)] == []
