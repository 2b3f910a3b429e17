"""Seconds and memory of one lumbar case, the whole command from a cold start.

A phantom of 320 × 320 × 20 voxels of 0.875 × 0.875 × 4 mm, unless an image is named, goes through
``spinequant analyze`` in a process of its own. Writes ``results/NAME.json`` and ``results/NAME.md``.

    python Testing/benchmarks/run_benchmark.py --cores 2
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"
SIZE = (20, 320, 320)
SPACING = (4.0, 0.875, 0.875)
LIMITS = {"seconds": 60.0, "peak_memory_mb": 4096.0}
"""Promised for 2 CPU cores."""
SCORES = ("assess",)
"""Stages that are scores and intervals."""
MOST_SCORES = 0.05
"""Promised for scores and intervals: the share of the whole that they take at most."""
_INTERVAL = 0.05
_PACKAGES = ("torch", "monai", "SimpleITK", "numpy", "slicer-core")


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes
    ----------
    seconds : float
        From start to end, by the clock on the wall.
    peak_memory_mb : float
        Largest sum of the resident memory of the process and all its children, in MiB.
    """

    seconds: float
    peak_memory_mb: float


def measure(command: list[str], cores: int | None = None) -> Cost:
    """Run a command and watch it and its children.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    cores : int, optional
        Number of cores it may use; all by default.

    Raises
    ------
    RuntimeError
        If it fails, with the end of what it said.
    """
    environment = dict(os.environ)
    if cores:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(cores))
        environment["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(cores)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        began, peak = time.monotonic(), 0
        process = psutil.Popen(command, env=environment, stdout=said, stderr=said)
        _restrict(process, cores)
        while process.poll() is None:
            peak = max(peak, _resident(process))
            time.sleep(_INTERVAL)
        seconds = time.monotonic() - began
        said.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with code {process.returncode}:\n{said.read()[-2000:]}")
    return Cost(round(seconds, 2), round(peak / 2**20, 1))


def _restrict(process: psutil.Process, cores: int | None) -> None:
    """Bind a process to some cores, where the system can."""
    if cores and hasattr(process, "cpu_affinity"):
        process.cpu_affinity(process.cpu_affinity()[:cores])


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def cpu_model() -> str:
    """Name of the processor, or its architecture where the system does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def describe_machine(cores: int | None) -> dict[str, Any]:
    """Processor, memory and versions; nothing that names the machine."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "cpu": cpu_model(),
        "cores": min(cores or available, available),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": versions,
    }


def benchmark(image: Path | None, cores: int | None, device: str) -> dict[str, Any]:
    """Analyse one image and gather what it took.

    Returns
    -------
    dict
        ``machine``, ``input``, ``software``, ``model``, ``device``, ``verdict``, ``whole`` (the command from cold start
        to end) and ``stages`` as in ``case.json``.
    """
    with tempfile.TemporaryDirectory(prefix="spinequant-benchmark-") as folder:
        source = image or _make_phantom(Path(folder))
        case = Path(folder) / "case"
        command = [sys.executable, "-m", "SpineQuantLib.cli", "analyze", str(source), "--output", str(case)]
        cost = measure([*command, "--device", device, "--progress", "none"], cores)
        record = json.loads((case / "case.json").read_text(encoding="utf-8"))
    geometry = record["input"]["geometry"]
    return {
        "machine": describe_machine(cores),
        "input": {"kind": "own image" if image else "phantom", **geometry},
        "software": record["software"],
        "model": record["model"],
        "device": record["device"],
        "verdict": record["verdict"],
        "whole": asdict(cost),
        "stages": record["stages"],
    }


def _make_phantom(folder: Path) -> Path:
    from SpineQuantLib.training.phantom import PhantomSpec, make_phantom, save_phantom

    save_phantom(make_phantom(PhantomSpec(size=SIZE, spacing=SPACING)), folder / "phantom")
    return folder / "phantom" / "image.nii.gz"


def as_markdown(result: dict[str, Any]) -> str:
    """Result as a table for people."""
    machine, whole = result["machine"], result["whole"]
    size = " × ".join(map(str, result["input"]["size"]))
    spacing = " × ".join(f"{s:g}" for s in result["input"]["spacing_mm"])
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items() if version)
    stages = "\n".join(f"| {s['stage']} | {s['seconds']:.1f} | {s['peak_memory_mb']:.0f} |" for s in result["stages"])
    share = score_share(result)
    outside = whole["seconds"] - sum(s["seconds"] for s in result["stages"])
    return f"""# Seconds and memory of one case

- Input: {result["input"]["kind"]}, {size} voxels of {spacing} mm
- Device: {result["device"]}; {machine["cpu"]}, {machine["cores"]} cores used, {machine["memory_gb"]:g} GB memory
- Software: SpineQuant {result["software"]["version"]}, model {result["model"]["name"]} {result["model"]["version"]} \
({result["model"]["members"]} members), Python {machine["python"]} on {machine["system"]}, {packages}
- Verdict: {result["verdict"]}

| stage | seconds | peak memory, MB |
|---|---:|---:|
{stages}
| start and end of the process | {outside:.1f} | |
| **whole command** | **{whole["seconds"]:.1f}** | **{whole["peak_memory_mb"]:.0f}** |
| promised for 2 CPU cores | {LIMITS["seconds"]:.0f} | {LIMITS["peak_memory_mb"]:.0f} |

Scores and intervals ({", ".join(SCORES)}): {100 * share:.1f} % of the whole; at most \
{100 * MOST_SCORES:.0f} % are promised.
"""


def score_share(result: dict[str, Any]) -> float:
    """Part of the whole command that scores and intervals take."""
    return sum(s["seconds"] for s in result["stages"] if s["stage"] in SCORES) / result["whole"]["seconds"]


def default_name(result: dict[str, Any]) -> str:
    """File name that tells the device."""
    if result["device"] == "CPU":
        return f"cpu-{result['machine']['cores']}-cores"
    return re.sub(r"[^a-z0-9]+", "-", result["device"].lower()).strip("-")


def main() -> None:
    """Run the benchmark and write its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, help="own image instead of the phantom")
    parser.add_argument("--cores", type=int, help="number of CPU cores to use; all by default")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--name", help="name of the result; by default the device's")
    options = parser.parse_args()
    result = benchmark(options.image, options.cores, options.device)
    name = options.name or default_name(result)
    RESULTS.mkdir(exist_ok=True)
    text = as_markdown(result)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    sys.stdout.write(f"{text}\nwritten to {RESULTS / name}.json and .md\n")


if __name__ == "__main__":
    main()
