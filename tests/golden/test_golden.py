"""Every folder is a case; every output is accepted by a real Envoy."""

from functools import cache
from pathlib import Path

import pytest

from . import bootstrap, case

FOLDERS = case.folders()
NAMES = [f"{folder.parent.name}/{folder.name}" for folder in FOLDERS]


@cache
def outcome(folder: Path) -> case.Outcome:
    return case.run(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_a_policy_becomes_the_envoy_configuration_that_is_written_down(folder: Path, refresh: bool):
    expected = {path.name: path for path in folder.iterdir() if path.name.endswith(".xds.yaml") or path.name == "messages.yaml"}
    files = outcome(folder).files
    if refresh:
        for name in expected.keys() - files.keys():
            expected[name].unlink()
        for name, text in files.items():
            (folder / name).write_text(text)
        return
    assert sorted(files) == sorted(expected), "other files than those that are written down (pytest tests/golden --refresh)"
    for name, text in files.items():
        assert text == expected[name].read_text(), f"{folder / name}: read the difference, then pytest tests/golden --refresh"


@pytest.mark.envoy
def test_a_real_envoy_accepts_every_golden(tmp_path: Path):
    secrets = bootstrap.Authority().issue("default", "golden")
    sets = [
        (f"{name} {proxy}", resources)
        for folder, name in zip(FOLDERS, NAMES, strict=True)
        for proxy, resources in outcome(folder).proxies.items()
    ]
    assert sets, "no golden case compiles to anything"
    said = bootstrap.validate(bootstrap.static(sets, secrets), tmp_path)
    assert not said, said


@pytest.mark.envoy
def test_envoy_would_refuse_a_wrong_golden(tmp_path: Path):
    """The judge can say no."""
    secrets = bootstrap.Authority().issue("default", "golden")
    resources = next(iter(outcome(FOLDERS[0]).proxies.values()))
    bad = bootstrap.static([("bad", resources)], secrets)
    bad["static_resources"]["clusters"][0]["connect_timeout"] = "-1s"
    assert "nvalid duration" in bootstrap.validate(bad, tmp_path)
