#!/usr/bin/env python3
"""Draws a deployment from the report of a real run: picture.py REPORT.json OUT.svg, or --check

The report is one that `layers.sh` or `demo.sh` wrote; drawn is its first `apply`: what each container
went through, on one axis of time, so that layers, waiting and what ran beside what can be seen.
With --check nothing is written: the picture beside the report must be the one that is drawn now.
Light and dark follow the reader's own choice.  Nothing but Python's standard library is needed.
"""
import json
import pathlib
import sys
from html import escape

WIDTH, LEFT, RIGHT, TOP = 860, 92, 24, 66
ROW, BAR = 52, 24
COLOURS = {
    "unpack": ("#4f7cac", "root file system unpacked"),
    "boot": ("#6a9a54", "boot, until ssh answers"),
    "base": ("#c17a2b", "base role"),
    "service": ("#a8556b", "service"),
    "own": ("#8d6cab", "own work"),
}
STYLE = """
  text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #24292f; }
  .faint { fill: #656d76; font-size: 12px; } .name { font-weight: 600; } .grid { stroke: #d8dee4; }
  .on { fill: #ffffff; font-size: 11px; } .ground { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .faint { fill: #9198a1; } .grid { stroke: #3d444d; } .ground { fill: #0d1117; }
  }"""


def first_apply(report):
    """The first apply and the steps within it, those of no container left out."""
    whole = next(step for step in report["steps"] if step["kind"] == "apply")
    end = whole["begin"] + whole["seconds"]
    inside = [s for s in report["steps"] if s is not whole and whole["begin"] <= s["begin"] < end and " container-" in s["name"]]
    return whole, inside


def bars(steps, begin):
    """Container, kind, words, and from when to when in seconds of the apply."""
    for step in steps:
        container, layer, action = step["name"].split(" ", 2)
        kind = step["kind"] if step["kind"] in COLOURS else "own"
        words = {"reach": "boot", "start": "start"}.get(action, action.removeprefix("provision "))
        if step["kind"] == "provisioner":
            kind = "base" if layer == "container-default" else "service"
            words = {"default": "Ansible: base role", "ansible": "Ansible"}.get(words, words)
        first = step["begin"] - begin
        yield container, layer, kind, words, first, first + step["seconds"]


def drawn(report):
    whole, steps = first_apply(report)
    seconds = whole["seconds"]
    all_bars = list(bars(steps, whole["begin"]))
    names = list(dict.fromkeys(bar[0] for bar in all_bars))
    height = TOP + ROW * len(names) + 84
    scale = (WIDTH - LEFT - RIGHT) / seconds
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
           f'<title id="title">{len(names)} containers through three layers in {seconds:.1f} seconds</title>',
           f"<style>{STYLE}\n</style>", f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>',
           f'<text x="24" y="30" class="name">proxmox-ci apply: {escape(", ".join(names))}, in {seconds:.1f} s</text>',
           '<text x="24" y="48" class="faint">real containers, one after the other where one needs another, side by side where not</text>']
    step = next(width for width in (1, 2, 5, 10, 20, 60) if seconds / width <= 12)
    floor = TOP + ROW * len(names)
    for tick in range(0, int(seconds) + 1, step):
        x = LEFT + tick * scale
        out.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{floor}"/>')
        out.append(f'<text class="faint" x="{x:.1f}" y="{floor + 18}" text-anchor="middle">{tick} s</text>')
    for container, layer, kind, words, first, last in all_bars:
        y = TOP + ROW * names.index(container) + (ROW - BAR) / 2
        x, width = LEFT + first * scale, max((last - first) * scale, 1.5)
        label = escape(f"{container}, {layer}: {words}, {last - first:.2f} s")
        out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR}" rx="3" fill="{COLOURS[kind][0]}"><title>{label}</title></rect>')
        if width > 7.5 * len(words) + 6:
            out.append(f'<text class="on" x="{x + 6:.1f}" y="{y + 16:.1f}">{escape(words)}</text>')
    for number, name in enumerate(names):
        out.append(f'<text class="name" x="{LEFT - 12}" y="{TOP + ROW * number + ROW / 2 + 5:.1f}" text-anchor="end">{escape(name)}</text>')
    x = 24
    for colour, words in COLOURS.values():
        out.append(f'<rect x="{x}" y="{height - 30}" width="12" height="12" rx="2" fill="{colour}"/>')
        out.append(f'<text class="faint" x="{x + 18}" y="{height - 20}">{escape(words)}</text>')
        x += 30 + 7 * len(words)
    return "\n".join([*out, "</svg>", ""])


def main():
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    if sys.argv[2] == "--check":
        kept = pathlib.Path(sys.argv[1]).with_suffix(".svg")
        sys.exit(0 if kept.read_text() == drawn(report) else f"picture: draw {kept} again")
    pathlib.Path(sys.argv[2]).write_text(drawn(report))


if __name__ == "__main__":
    main()
