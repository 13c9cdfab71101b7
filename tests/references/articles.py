#!/usr/bin/env python3
"""Writes articles in JATS as plain web pages and has a browser print them.

    python3 tests/references/articles.py FOLDER ARTICLE.xml ... [--style NAME] [--untagged] [--browser NAME]

makes NAME.html and NAME.pdf of each article that has sections: headings, paragraphs, and the tables with their
captions. The marks of citations and notes, figures and formulas are left out. tests/pdf.rs reads the pairs in
the folder ALMANAC_TEST_PRINTED.
"""

import argparse
import html
import sys
import xml.etree.ElementTree as tree
from pathlib import Path

from print import STYLES, print_page

LEFT_OUT = {"xref", "fn", "ref", "table-wrap", "fig", "disp-formula", "inline-formula", "alternatives", "graphic"}
APART = {"p", "title", "label", "break", "list-item"}


def words(node):
    """The node's words, without what stands apart."""
    text = node.text or ""
    for child in node:
        if child.tag not in LEFT_OUT:
            space = " " if child.tag in APART else ""
            text += space + words(child) + space
        text += child.tail or ""
    return text


def line(node):
    return html.escape(" ".join(words(node).split()), quote=False)


def cell(node):
    name = "th" if node.tag == "th" else "td"
    spans = "".join(f' {key}="{node.get(key)}"' for key in ("colspan", "rowspan") if node.get(key, "1") != "1")
    return f"<{name}{spans}>{line(node)}</{name}>"


def table(wrap):
    found = wrap.find("table")
    if found is None:
        found = wrap.find("alternatives/table")
    if found is None:
        return ""
    parts = (part for part in (wrap.find("label"), wrap.find("caption")) if part is not None)
    caption = " ".join(line(part) for part in parts)
    out = f"<table><caption>{caption}</caption>"
    for part in ("thead", "tbody"):
        rows = found.findall(f"{part}/tr")
        cells = "".join("<tr>" + "".join(cell(one) for one in row) + "</tr>" for row in rows)
        out += f"<{part}>{cells}</{part}>" if cells else ""
    return out + "</table>\n"


def section(node, level):
    out = ""
    for child in node:
        if child.tag == "title":
            out += f"<h{level}>{line(child)}</h{level}>\n"
        elif child.tag == "p":
            out += f"<p>{line(child)}</p>\n"
            out += "".join(table(wrap) for wrap in child.iter("table-wrap"))
        elif child.tag == "table-wrap":
            out += table(child)
        elif child.tag == "sec":
            out += section(child, min(level + 1, 6))
    return out


def page(article, style):
    title = line(article.find(".//article-title"))
    body = "".join(section(part, 2) for part in article.findall("body/sec"))
    return body and (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLES[style]}</style></head><body><main><h1>{title}</h1>\n{body}</main></body></html>"
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("articles", type=Path, nargs="+")
    arguments.add_argument("--style", choices=STYLES, default="serif")
    arguments.add_argument("--untagged", action="store_true")
    arguments.add_argument("--browser", default="chromium")
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for source in given.articles:
        text = page(tree.parse(source).getroot(), given.style)
        if text:
            name = given.folder.resolve() / source.stem
            print_page(given.browser, name, text, given.untagged)
            print(name, file=sys.stderr)


if __name__ == "__main__":
    main()
