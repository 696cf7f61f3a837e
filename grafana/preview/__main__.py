"""Draws previews: ``python -m grafana.preview --prometheus http://localhost:9090 docs/images``.

Needs Chromium, and a Prometheus with the rules of alerts/ that has scraped a fleet for a while.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from PIL import (
    Image as image,  # noqa: N813 - a module, as its use reads
    PngImagePlugin as png,  # noqa: N813 - the same
)

from grafana import build
from grafana.preview import asking, page, stamp

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_POINTS = 180
_DRAW_MILLISECONDS = 8000


def main() -> None:
    """Draw each dashboard into a PNG of its name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", required=True, metavar="URL")
    parser.add_argument("--minutes", type=float, default=10, help="how far to look back")
    parser.add_argument("--scrape-interval", type=int, default=5, help="seconds")
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--until", type=float, default=time.time(), help="epoch seconds")
    options = parser.parse_args()
    end = options.until
    window = asking.Window(
        start=end - options.minutes * 60,
        end=end,
        step=max(options.scrape_interval, round(options.minutes * 60 / _POINTS)),
        rate_interval=max(4 * options.scrape_interval, 30),
    )
    asker = asking.Asker(url=options.prometheus, window=window)
    for file in sorted(build.DIRECTORY.glob("celery-*.json")):
        dashboard = json.loads(file.read_text())
        name = dashboard["uid"].removeprefix("celery-")
        target = options.directory / f"dashboard-{name}.png"
        photograph(page.page(dashboard, asker, _plotly()), page.height(dashboard), target)
        shrink(target, stamp.of(dashboard))
        print(f"{target}: {target.stat().st_size // 1000} kB")  # noqa: T201 - a command


def photograph(text: str, height: int, target: pathlib.Path) -> None:
    """Let the browser draw a page into a PNG."""
    with tempfile.TemporaryDirectory(prefix="celery-sentinel-preview-") as directory:
        source = pathlib.Path(directory) / "page.html"
        source.write_text(text)
        subprocess.run(  # noqa: S603 - our own command line
            [
                _browser(),
                "--headless=new",
                "--no-sandbox",  # the page is ours, and containers have no user namespaces
                "--disable-gpu",
                "--hide-scrollbars",
                "--allow-file-access-from-files",
                f"--user-data-dir={directory}/profile",
                f"--virtual-time-budget={_DRAW_MILLISECONDS}",
                f"--window-size={page.WIDTH},{height}",
                f"--screenshot={target.absolute()}",
                source.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def shrink(picture: pathlib.Path, shown: str) -> None:
    """Keep 256 colours of a picture, which are all that a dashboard needs; say what it shows."""
    told = png.PngInfo()
    told.add_text(stamp.KEY, shown)
    with image.open(picture) as full:
        few = full.convert("RGB").quantize(256, dither=image.Dither.NONE)
    few.save(picture, optimize=True, pnginfo=told)


def _browser() -> str:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise SystemExit("no Chromium on PATH: install chromium")
    return found


def _plotly() -> str:
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise SystemExit("plotly is missing: make pictures installs it")
    script = pathlib.Path(found.origin).parent / "package_data" / "plotly.min.js"
    return script.as_uri()


if __name__ == "__main__":
    main()
