"""Draws the first kept exchange that the example prints."""

import html
import re
import sys

WIDTH, LINE, SIZE, PAD = 100, 19, 13, 18

text = sys.stdin.read()
start = text.index("request    POST /orders -> 500")
shown = text[start : text.index("losses", start)].rstrip().split("\n")


def wrapped(line):
    """Wraps long lines, with the rest indented below the text."""
    indent = " " * (len(re.match(r" *\S* *", line).group()) if line[:1] != " " else 6)
    while len(line) > WIDTH:
        at = line.rfind(" ", len(indent) + 1, WIDTH)
        at = at if at > 0 else WIDTH
        yield line[:at]
        line = indent + line[at:].lstrip()
    yield line


def painted(line):
    """Colours pseudonyms, levels and headings."""
    line = html.escape(line, quote=False)
    line = re.sub(r"(\[~[0-9a-f]+(?: [^\]]*)?\]?)", r'<tspan class="p">\1</tspan>', line)
    line = re.sub(r"\b(DEBUG)\b", r'<tspan class="d">\1</tspan>', line)
    line = re.sub(r"^(panic|outcome)(?= )", r'<tspan class="e">\1</tspan>', line)
    return re.sub(r"^(request|ID|at|decisions|events|body)\b", r'<tspan class="h">\1</tspan>', line)


lines = [part for line in shown for part in wrapped(line)]
height = len(lines) * LINE + 2 * PAD
width = int(WIDTH * SIZE * 0.6) + 2 * PAD
print(
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
    f'aria-label="A failed request, as dashcam kept it">\n'
    f"<style>text{{font:{SIZE}px ui-monospace,Menlo,Consolas,monospace;fill:#d7dde5;white-space:pre}}"
    ".p{fill:#f2c14e}.d{fill:#6fb3ff}.e{fill:#ff7a70}.h{fill:#8fd694}</style>\n"
    f'<rect width="{width}" height="{height}" rx="8" fill="#171b21"/>'
)
for number, line in enumerate(lines):
    y = PAD + (number + 1) * LINE - 5
    print(f'<text x="{PAD}" y="{y}" xml:space="preserve">{painted(line)}</text>')
print("</svg>")
