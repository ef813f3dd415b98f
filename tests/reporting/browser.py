"""How a page is looked at in a browser."""

import re

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--enable-logging=stderr",
)

HOVER = """
const canvas = document.querySelectorAll("canvas")[0], box = canvas.getBoundingClientRect();
const at = (place) => (place + 0.5) / %d;
canvas.dispatchEvent(new PointerEvent("pointermove", {
  clientX: box.left + at(%d) * box.width, clientY: box.top + at(%d) * box.height }));
"""


def look_around(html, chromium, tmp_path, script):
    """What the page's reading says after a script of ours, which the page's policy is told of."""
    page = tmp_path / "explorer.html"
    driven = re.sub(r"script-src 'sha256-[^']*'", "script-src 'unsafe-inline'", html)
    page.write_text(driven.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    dom, log = chromium("--dump-dom", page.as_uri())
    assert "CONSOLE" not in log
    return re.search(r'<output id="explorer-pair"[^>]*>(.*?)</output>', dom, re.DOTALL)[1]
