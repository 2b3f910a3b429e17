"""The benchmark measures what a command and its children take, and its committed results are complete."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("run_benchmark", HERE / "run_benchmark.py")
run_benchmark = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = run_benchmark
_SPEC.loader.exec_module(run_benchmark)

FILL = "import time; data = b'x' * 200_000_000; time.sleep(0.5)"
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"


def result() -> dict:
    stages = [{"stage": "read", "seconds": 0.5, "peak_memory_mb": 300.0}]
    return {
        "machine": run_benchmark.describe_machine(2),
        "input": {"kind": "phantom", "size": [320, 320, 20], "spacing_mm": [0.875, 0.875, 4.0], "orientation": "PIL"},
        "software": {"name": "SpineQuant", "version": "0.1.0"},
        "model": {"name": "lumbar", "version": "1", "sha256": "", "members": 5},
        "device": "CPU",
        "verdict": "pass",
        "whole": {"seconds": 2.0, "peak_memory_mb": 512.0},
        "stages": stages,
    }


def test_memory_of_children_counts():
    cost = run_benchmark.measure([sys.executable, "-c", PARENT, FILL])
    assert cost.peak_memory_mb > 190
    assert cost.seconds >= 0.5


@pytest.mark.skipif(not hasattr(run_benchmark.psutil.Process, "cpu_affinity"), reason="this system binds no process")
def test_a_command_is_held_to_its_cores():
    check = "import psutil, time; time.sleep(0.3); assert len(psutil.Process().cpu_affinity()) == 1"
    run_benchmark.measure([sys.executable, "-c", check], cores=1)


def test_a_failed_command_is_no_result():
    with pytest.raises(RuntimeError, match=r"code 3:\n.*no such image"):
        run_benchmark.measure([sys.executable, "-c", "print('no such image'); raise SystemExit(3)"])


def test_table_accounts_for_all_seconds():
    text = run_benchmark.as_markdown(result())
    assert "| read | 0.5 | 300 |" in text
    assert "| start and end of the process | 1.5 | |" in text
    assert "| **whole command** | **2.0** | **512** |" in text


def test_the_share_of_scores_and_intervals_is_of_the_whole_command():
    record = result()
    record["stages"].append({"stage": "assess", "seconds": 0.09, "peak_memory_mb": 300.0})
    assert run_benchmark.score_share(record) == pytest.approx(0.045)
    assert "Scores and intervals (assess): 4.5 % of the whole; at most 5 % are promised." in run_benchmark.as_markdown(
        record
    )


def test_the_machine_is_described_but_not_named():
    text = json.dumps(run_benchmark.describe_machine(None))
    assert run_benchmark.cpu_model() in json.loads(text)["cpu"]
    assert socket.gethostname() not in text.replace('"', " ").split()


@pytest.mark.parametrize("path", sorted((HERE / "results").glob("*.json")), ids=lambda p: p.stem)
def test_committed_results_and_tables_agree(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert path.with_suffix(".md").read_text(encoding="utf-8") == run_benchmark.as_markdown(record)
    assert record["whole"]["seconds"] >= sum(stage["seconds"] for stage in record["stages"])
