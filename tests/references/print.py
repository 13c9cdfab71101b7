#!/usr/bin/env python3
"""Writes the farm's documents as plain web pages and has a browser print them.

    python3 tests/references/print.py FOLDER [DOCUMENT.md ...] [--style NAME] [--notes] [--untagged]

makes NAME.html and NAME.pdf of each document, of all in examples/farm/documents where none is named.
tests/pdf.rs reads the pairs in tests/references/printed, and those in the folder ALMANAC_TEST_PRINTED.
"""

import argparse
import html
import re
import subprocess
import sys
from pathlib import Path

STYLES = {
    "serif": "body{font-family:serif;font-size:11pt}"
    "table{border-collapse:collapse}td,th{border:1px solid;padding:2pt 4pt}",
    "sans": "body{font-family:sans-serif;font-size:10pt;line-height:1.4}h1{font-size:18pt}h2{font-size:13pt}"
    "table{border-collapse:collapse;width:100%}td,th{border:0.5pt solid #888;padding:4pt 6pt;text-align:left;"
    "vertical-align:top}th{background:#ddd}",
    "apart": "body{font-family:serif;font-size:12pt;text-align:justify}"
    "table{border:1px solid;border-spacing:2px}td,th{border:1px solid;padding:3pt}",
    "bare": "body{font-family:serif;font-size:11pt}td,th{padding:2pt 12pt 2pt 0;text-align:left;vertical-align:top}",
}


def inline(text, notes):
    def mark(found):
        if notes is None:
            return ""
        number = notes.setdefault(found[1], len(notes) + 1)
        return f'<sup><a href="#note-{number}">{number}</a></sup>'

    text = html.escape(text, quote=False)
    # The space between two marks goes with them.
    text = re.sub(r"(?<=\]) (?=\[\^)", "", text)
    text = re.sub(r"\[\^([^\]]+)\]", mark, text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)
    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r'<a href="\2">\1</a>', text)


def cells(row, name, notes):
    texts = (inline(cell.strip(), notes) for cell in row.strip().strip("|").split("|"))
    return "<tr>" + "".join(f"<{name}>{text}</{name}>" for text in texts) + "</tr>"


def block(lines, notes):
    first = lines[0]
    if found := re.match(r"(#+) (.*)", first):
        level = len(found[1])
        return f"<h{level}>{inline(found[2], notes)}</h{level}>"
    if first.startswith("|"):
        body = "".join(cells(row, "td", notes) for row in lines[2:])
        return f"<table><thead>{cells(first, 'th', notes)}</thead><tbody>{body}</tbody></table>"
    for mark, name in ((r"[-*] ", "ul"), (r"\d+\. ", "ol")):
        if re.match(mark, first):
            items = (inline(re.sub("^" + mark, "", line), notes) for line in lines)
            return f"<{name}>" + "".join(f"<li>{item}</li>" for item in items) + f"</{name}>"
    return f"<p>{inline(' '.join(lines), notes)}</p>"


def page(markdown, style, with_notes):
    text = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.S)
    sources = dict(re.findall(r"^\[\^([^\]]+)\]: (.*)$", text, flags=re.M))
    text = re.sub(r"^\[\^[^\]]+\]: .*\n?", "", text, flags=re.M)
    notes = {} if with_notes else None
    blocks = [part.strip("\n").split("\n") for part in re.split(r"\n\s*\n", text) if part.strip()]
    body = "\n".join(block(lines, notes) for lines in blocks)
    if notes:
        items = (f'<li id="note-{number}">{html.escape(sources[label])}</li>' for label, number in notes.items())
        body += "\n<h2>Sources</h2>\n<ol>" + "".join(items) + "</ol>"
    title = html.escape(re.search(r"^# (.*)$", text, flags=re.M)[1])
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLES[style]}</style></head><body><main>{body}</main></body></html>"
    )


def print_page(browser, name, text, untagged=False):
    """Writes `text` as NAME.html and has `browser` print it as NAME.pdf, perhaps without tags."""
    target = name.with_suffix(".html")
    target.write_text(text)
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command += ["--disable-pdf-tagging"] if untagged else []
    command += [f"--print-to-pdf={name}.pdf", target.as_uri()]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("documents", type=Path, nargs="*")
    arguments.add_argument("--style", choices=STYLES, default="serif")
    arguments.add_argument("--notes", action="store_true", help="print the marks of notes and the list of sources")
    arguments.add_argument("--untagged", action="store_true", help="print without the tags that name headings and cells")
    arguments.add_argument("--browser", default="chromium")
    given = arguments.parse_args()
    farm = Path(__file__).resolve().parents[2] / "examples/farm/documents"
    given.folder.mkdir(parents=True, exist_ok=True)
    for source in given.documents or sorted(farm.glob("*/*.md")):
        source = source.resolve()
        name = given.folder.resolve() / f"{source.parent.name}-{source.stem}"
        print_page(given.browser, name, page(source.read_text(), given.style, given.notes), given.untagged)
        print(name, file=sys.stderr)


if __name__ == "__main__":
    main()
