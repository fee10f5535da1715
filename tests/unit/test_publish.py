"""Publishing copies what a reader needs, and only once there is a report."""

from __future__ import annotations

import lzma
import re
import shutil
import tarfile
from pathlib import Path

import pytest
import synthetic

from frl.errors import SpecError
from frl.report.publish import publish
from frl.runs import named
from frl.runs.lineage import Lineage
from frl.runs.paths import run_paths
from frl.runs.store import Store


def test_publishes_the_summary_but_no_raw_log(tmp_path: Path) -> None:
    scenario = synthetic.scenario(seeds=(0, 1), methods={"afedpg": (1, 2)})
    base = tmp_path / scenario.name
    synthetic.write_all(tmp_path, scenario)
    synthetic.build(tmp_path, scenario)
    (base / "report.html").unlink()
    with pytest.raises(SpecError, match=r"report\.html is not there"):
        publish(scenario, tmp_path)
    (base / "gaits").mkdir()
    (base / "gaits/a.gif").write_bytes(b"film")
    (base / "gaits/a.mp4").write_bytes(b"another form of it")
    with Lineage(scenario, base).step("report"):
        (base / "report.html").write_text('<html><a href="curves.csv">')
    written = publish(scenario, tmp_path)
    target = tmp_path / "published" / scenario.name
    assert sorted(written) == sorted(path for path in target.rglob("*") if path.is_file())
    names = {str(path.relative_to(target)) for path in written}
    assert {"report.html", "curves.csv.xz", "figures/sample_complexity.svg", "tables/final_return.csv"} <= names
    assert {name for name in names if name.startswith("gaits/")} == {"gaits/a.gif"}
    assert not any("seed" in name for name in names)
    archive = target / "runs.tar.xz"
    assert Store(tmp_path / "elsewhere").import_(archive) == len(list(scenario.runs())) == 4
    before = archive.read_bytes()
    for older in ("figures/dropped.svg", "gaits/dropped.gif", "curves.csv"):
        (target / older).write_text("of an older report")
    assert publish(scenario, tmp_path)[-1].read_bytes() == before
    assert not [*target.rglob("dropped.*"), *target.glob("curves.csv")]
    shutil.rmtree(tmp_path / ".store")
    gone = run_paths(next(scenario.runs()), tmp_path, scenario.name)[0]
    content = gone.read_bytes()
    gone.unlink()
    with pytest.raises(SpecError, match=r"n1/seed0: the run that the report is made from is gone"):
        publish(scenario, tmp_path)
    assert archive.read_bytes() == before
    gone.write_bytes(content)
    assert publish(scenario, tmp_path)[-1].read_bytes() == before
    with pytest.raises(SpecError, match=r"partial/report\.html is not there"):
        publish(scenario, tmp_path, partial=True)
    links = re.findall(r'href="(curves[^"]*)"', (target / "report.html").read_text())
    assert links == ["curves.csv.xz"]
    assert lzma.decompress((target / "curves.csv.xz").read_bytes()) == (base / "curves.csv").read_bytes()


def test_policies_stay_in_the_store(tmp_path: Path) -> None:
    scenario = synthetic.scenario(seeds=(0,), methods={"afedpg": (1,)})
    synthetic.write_all(tmp_path, scenario)
    synthetic.build(tmp_path, scenario)
    (spec,) = scenario.runs()
    run = named.read(run_paths(spec, tmp_path, scenario.name)[0])
    run.keep(b"theta")
    with tarfile.open(publish(scenario, tmp_path)[-1]) as tar:
        assert {Path(member.name).name for member in tar} == {"run.csv", "meta.json"}
    assert run.policy() == b"theta"
