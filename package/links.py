"""The links of the documents.

links.py PAGES CHECKOUT   brings along what pages link to that is no page: sources, charts, settings
links.py --site FOLDER    names every link of a site, and every fragment, that leads nowhere
"""

import html.parser
import pathlib
import re
import shutil
import sys
import urllib.parse

LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


def bring(pages: pathlib.Path, checkout: pathlib.Path) -> None:
    for page in pages.rglob("*.md"):
        for to in LINK.findall(page.read_text()):
            if ":" in to:
                continue
            place = (page.parent / to).resolve()
            source = checkout.resolve() / place.relative_to(pages.resolve())
            if source.is_dir():
                # A site shows no folders: what is in them is told by their names.
                place.mkdir(parents=True, exist_ok=True)
                names = sorted(entry.name for entry in source.iterdir())
                rows = "".join(f"<li>{name}</li>" for name in names)
                (place / "index.html").write_text(f"<!doctype html><ul>{rows}</ul>\n")
            elif source.exists() and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, place)


class Site(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if given.get("id"):
            self.ids.add(given["id"])
        if tag == "a" and given.get("name"):
            self.ids.add(given["name"])
        for name in ("href", "src"):
            if given.get(name) and tag in ("a", "img", "iframe", "link", "script"):
                self.links.append(given[name])


def read(page: pathlib.Path) -> Site:
    site = Site()
    site.feed(page.read_text())
    return site


def check(folder: pathlib.Path) -> int:
    pages = {page.resolve(): read(page) for page in folder.rglob("*.html") if page.name != "404.html"}
    links = broken = 0
    for page, site in pages.items():
        for link in site.links:
            to = urllib.parse.urlsplit(link)
            if to.scheme or to.netloc:
                continue
            links += 1
            place = (page.parent / urllib.parse.unquote(to.path)).resolve() if to.path else page
            if place.is_dir():
                place /= "index.html"
            reached = place.exists()
            if reached and to.fragment and place in pages:
                reached = urllib.parse.unquote(to.fragment) in pages[place].ids
            if not reached:
                broken += 1
                print(f"{page.relative_to(folder.resolve())}: {link} leads nowhere", file=sys.stderr)
    print(f"{len(pages)} pages, {links} links, {broken} of them lead nowhere")
    return 1 if broken or not links else 0


if __name__ == "__main__":
    if sys.argv[1] == "--site":
        sys.exit(check(pathlib.Path(sys.argv[2])))
    bring(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
