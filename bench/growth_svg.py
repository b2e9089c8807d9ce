#!/usr/bin/env python3
"""Draws growth.json, which compare.py --growth writes, as a picture: growth_svg.py growth.json growth.svg

One panel for each series: the time of a unit (an image, a pixel) against the size. Linear growth is a horizontal line; the
band is 15 % around it, where "it" is the median of the sizes. Readable on light and on dark paper; no library needed.
"""
import json
import math
import statistics
import sys

BAND = 0.15
WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 640, 250, 60, 70, 44, 44

STYLE = """
:root { --paper: #fff; --ink: #1b2430; --soft: #5b6675; --rule: #dfe3e9; --a: #0072b2; --b: #b84e00; --c: #00845f; --d: #8a6fb8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181f; --ink: #e6eaf0; --soft: #9aa5b4; --rule: #2c343f; --a: #56b4e9; --b: #ff9a5c; --c: #2fc79b;
    --d: #b79be8; } }
svg { font: 12px system-ui, sans-serif; }
svg text { fill: var(--soft); }
svg text.title { fill: var(--ink); font-weight: 600; }
svg text.x { text-anchor: middle; }
svg text.y { text-anchor: end; }
.paper { fill: var(--paper); }
.rule { stroke: var(--rule); }
.band { opacity: 0.16; }
.linear { fill: none; stroke-dasharray: 4 4; opacity: 0.7; }
.line { fill: none; stroke-width: 2; }
"""
COLOURS = ["a", "b", "c", "d"]


def nice_step(top):
    """1, 2 or 5 times a power of ten: about four of them reach the top."""
    power = 10 ** math.floor(math.log10(top / 4))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= top / 4 * 0.999)


def panel(name, rows, y0):
    """The elements of one series; the plot's upper edge is at y0 + TOP."""
    sizes = sorted({row["size"] for row in rows})
    threads = sorted({row["threads"] for row in rows})
    step = nice_step(max(row["us_per_unit"] for row in rows) * 1.15)
    top = step * math.ceil(max(row["us_per_unit"] for row in rows) * 1.15 / step)
    low, high = math.log(sizes[0]), math.log(sizes[-1])
    plot_width, plot_height = WIDTH - LEFT - RIGHT, PANEL - TOP - BOTTOM

    def x(size):
        return LEFT + (plot_width * (math.log(size) - low) / (high - low) if high > low else plot_width / 2)

    def y(value):
        return y0 + TOP + plot_height * (1 - value / top)

    unit = rows[0]["unit"]
    out = [f'<text class="title" x="{LEFT}" y="{y0 + 20}">{name}: µs a training step, per {unit}</text>']
    for i in range(round(top / step) + 1):
        out.append(f'<path class="rule" d="M{LEFT} {y(i * step):.1f}H{WIDTH - RIGHT}"/>'
                   f'<text class="y" x="{LEFT - 8}" y="{y(i * step) + 4:.1f}">{i * step:.4g}</text>')
    for size in sizes:
        out.append(f'<text class="x" x="{x(size):.1f}" y="{y(0) + 18:.1f}">{size}</text>')
    axis = name.partition(" ")[2] or "size"
    out.append(f'<text class="x" x="{LEFT + plot_width / 2}" y="{y(0) + 36:.1f}">{axis}</text>')
    labels = []
    for index, n in enumerate(threads):
        colour = f"var(--{COLOURS[index % len(COLOURS)]})"
        line = sorted((row["size"], row["us_per_unit"]) for row in rows if row["threads"] == n)
        linear = statistics.median(cost for _, cost in line)
        upper, lower = y(linear * (1 + BAND)), y(linear * (1 - BAND))
        points = " ".join(f"{x(size):.1f},{y(cost):.1f}" for size, cost in line)
        out.append(f'<rect class="band" x="{LEFT}" y="{upper:.1f}" width="{plot_width}" height="{lower - upper:.1f}" '
                   f'fill="{colour}"/><path class="linear" stroke="{colour}" d="M{LEFT} {y(linear):.1f}H{WIDTH - RIGHT}"/>'
                   f'<polyline class="line" stroke="{colour}" points="{points}"/>')
        for size, cost in line:
            within = abs(cost / linear - 1) <= BAND
            out.append(f'<circle cx="{x(size):.1f}" cy="{y(cost):.1f}" r="3.5" stroke="{colour}" stroke-width="1.5" '
                       f'fill="{colour if within else "var(--paper)"}"><title>{size}: {cost:.4g} µs per {unit}, '
                       f'{100 * (cost / linear - 1):+.0f} %</title></circle>')
        labels.append((y(line[-1][1]), n, colour))
    last = -math.inf
    for at, n, colour in sorted(labels):
        last = max(at + 4, last + 14)  # one below the other where lines end together
        out.append(f'<text x="{WIDTH - RIGHT + 8}" y="{last:.1f}" style="fill: {colour}">'
                   f'{n} thread{"s" if n > 1 else ""}</text>')
    return out


def draw(rows):
    """The rows of growth.json as an SVG."""
    series = list(dict.fromkeys(row["series"] for row in rows))
    height = PANEL * len(series) + 26
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           f'role="img" aria-label="time of a training step per image and per pixel, against the size"><style>{STYLE}</style>',
           f'<rect class="paper" width="{WIDTH}" height="{height}"/>']
    for index, name in enumerate(series):
        out += panel(name, [row for row in rows if row["series"] == name], index * PANEL)
    out += [f'<text x="{LEFT}" y="{height - 10}">Horizontal is linear: dashed the median, shaded ±{100 * BAND:.0f} %; hollow '
            "points lie outside.</text>", "</svg>"]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: growth_svg.py growth.json growth.svg")
    with open(sys.argv[1]) as source:
        picture = draw(json.load(source))
    with open(sys.argv[2], "w") as target:
        target.write(picture)
