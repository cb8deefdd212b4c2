"""Every benchmark, one after another, or those that are named: `python -m benchmarks [scan] [captions] [gpu] …`.

Their figures are gathered in `benchmarks/results/<date>-<machine>.json`, with the machine, the versions and the commit.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from core import hardware

HERE = Path(__file__).parent
RESULTS = HERE / "results"
ENVIRONMENT = {"GOMP_SPINCOUNT": "10000"}
"""As for every job (core/runs/launch.py): threads that wait spin a little, then sleep."""
PACKAGES = "torch diffusers transformers peft bitsandbytes prodigyopt safetensors numpy pillow textual".split()


def commands(script: str = "", sd_scripts: str = "") -> dict[str, list[str]]:
    """What is run under each name. Without a GPU the whole SDXL would take a CPU hours."""
    gpu = bool(hardware.gpus())
    names = [
        "scan",
        "captions",
        "steps",
        "peer",
        "demo",
        "wizard",
        "gpu",
        "alike",
        *(["guide", "budgets"] if gpu else []),
    ]
    found = {name: [f"{name}.py"] for name in names}
    for name in ("gpu", "alike"):
        found[name] += [] if gpu else ["--small"]
    for name in ("peer", "guide") if script else ():
        found.setdefault(name, []).extend(["--script", script])
    if gpu and sd_scripts:
        found["guide"] += ["--sd-scripts", sd_scripts]
    return found


def run(arguments: list[str]) -> tuple[dict[str, Any] | None, bool]:
    """Run one script, showing what it prints. Returns the JSON of its last line, and whether it met its limits."""
    script, *flags = arguments
    printed = ""
    command = [sys.executable, str(HERE / script), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT | os.environ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("{"):
                printed = line
            else:
                print(line, end="", flush=True)
    return json.loads(printed) if printed else None, process.returncode == 0


def machine() -> dict[str, Any]:
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(hardware.memory().total / 2**30, 1),
        "gpus": [{"name": gpu.name, "memory_gib": round(gpu.memory_total / 2**30, 1)} for gpu in hardware.gpus()],
        "system": f"{platform.system()} {platform.machine()}",
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def processor() -> str:
    cpus = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", cpus.read_text()) if cpus.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def commit() -> str:
    """The commit that was measured, with a mark when the files differ from it; empty outside a repository."""
    asked = ["git", "-C", str(HERE), "describe", "--always", "--abbrev=40", "--match=", "--dirty"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def free_path(about: dict[str, Any]) -> Path:
    """A file in `results` that is not there yet."""
    parts = [gpu["name"] for gpu in about["gpus"][:1]] or [about["processor"], f"{about['cores']} cores"]
    name = re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")
    path, number = RESULTS / f"{date.today()}-{name}.json", 1
    while path.exists():
        number += 1
        path = path.with_stem(f"{date.today()}-{name}-{number}")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(commands())}; left out, all")
    parser.add_argument("--script", default="", help="a copy of diffusers' script, instead of fetching it")
    parser.add_argument("--sd-scripts", default="", help="a checkout of sd-scripts to compare with on a GPU")
    asked = parser.parse_args()
    names, known = asked.names, commands(asked.script, asked.sd_scripts)
    if unknown := set(names) - set(known):
        parser.error(f"there is no benchmark “{unknown.pop()}”, but there are {', '.join(known)}")
    about = machine()
    results, failed, skipped = {}, [], []
    for name, arguments in known.items():
        if names and name not in names:
            continue
        print(f"== {name}", flush=True)
        results[name], well = run(arguments)
        if results[name] and "skipped" in results[name]:
            skipped.append(name)
        elif not well:
            failed.append(name)
    kept = {
        "date": str(date.today()),
        "commit": commit(),
        "machine": about,
        "versions": {"python": platform.python_version()} | {package: version(package) for package in PACKAGES},
        "results": results,
        "failed": failed,
    }
    path = free_path(about)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept, indent=1) + "\n")
    if skipped:
        print(f"Skipped, for the reason above: {', '.join(skipped)}")
    if failed:
        print(f"Failed, or short of a limit: {', '.join(failed)}")
    print(f"Kept in {path}\n")
    print(json.dumps(kept))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
