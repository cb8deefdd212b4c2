"""Make the pictures of the README anew: `make screenshots`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent


def demo(folder: Path) -> Path:
    """Run the demo. Returns its contact sheet."""
    command = [sys.executable, "-m", "tui", "demo", "--folder", str(folder), "--json"]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Path(json.loads(said.splitlines()[-1])["sheet"])


def main() -> None:
    """Draw, and keep the pictures small enough for a repository."""
    with tempfile.TemporaryDirectory() as folder:
        sheet = Image.open(demo(Path(folder) / "demo"))
        small = sheet.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        small.save(HERE / "demo.png", optimize=True)


if __name__ == "__main__":
    main()
