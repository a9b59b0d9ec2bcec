"""Whose work is in a package, and under which terms: notices.py CRATE TRIPLE

Every crate that gets into the program (what only builds or tests it does not), with its version, its
licence and where it comes from; then every text that the crates themselves carry (licences, notices,
names of authors), once. That each licence may be given away is what `cargo deny` checks.
"""

import json
import pathlib
import subprocess
import sys

CARRIED = ("LICEN", "COPYING", "COPYRIGHT", "NOTICE", "AUTHORS", "UNLICENSE")


def inside(metadata: dict, root: str) -> list[dict]:
    """The crates below this one, but for those that only build or test."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    seen, waiting = set(), [root]
    while waiting:
        crate = waiting.pop()
        if crate not in seen:
            seen.add(crate)
            for to in nodes[crate]["deps"]:
                if any(kind["kind"] is None for kind in to["dep_kinds"]):
                    waiting.append(to["pkg"])
    found = [crate for crate in metadata["packages"] if crate["id"] in seen and crate["source"]]
    # Macros are compiled into the compiler, not into the program.
    found = [crate for crate in found if "proc-macro" not in crate["targets"][0]["kind"]]
    return sorted(found, key=lambda crate: (crate["name"], crate["version"]))


def texts(crate: dict) -> list[str]:
    folder = pathlib.Path(crate["manifest_path"]).parent
    named = {path for path in folder.iterdir() if path.name.upper().startswith(CARRIED)}
    if crate["license_file"]:
        named.add(folder / crate["license_file"])
    # C libraries in a crate have terms of their own.
    named |= {path for path in folder.glob("*/*") if path.name.upper().startswith(CARRIED[:2])}
    files = sorted(path for path in named if path.is_file() and path.suffix not in (".rs", ".c", ".h"))
    return [path.read_text(errors="replace").replace("\r\n", "\n").strip() for path in files]


def main(name: str, triple: str) -> None:
    ask = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", triple]
    metadata = json.loads(subprocess.run(ask, check=True, stdout=subprocess.PIPE).stdout)
    root = next(crate["id"] for crate in metadata["packages"] if crate["name"] == name)
    crates = inside(metadata, root)
    print("What others have written and is part of this package, and under which terms.\n")
    print("  Rust's standard library                  MIT OR Apache-2.0")
    print(f"  {'':40} https://github.com/rust-lang/rust")
    bearers: dict[str, list[str]] = {}
    bare = []
    for crate in crates:
        called = f"{crate['name']} {crate['version']}"
        print(f"  {called:40} {crate['license'] or 'see its text'}")
        print(f"  {'':40} {crate['repository'] or 'https://crates.io/crates/' + crate['name']}")
        carried = texts(crate)
        for text in carried:
            bearers.setdefault(text, []).append(called)
        if not carried:
            bare.append(f"{called} ({crate['license']}; {', '.join(crate['authors']) or 'authors not named'})")
    # They name their licence and carry no text: the common texts are printed above or in LICENSE-*.
    print("\nWithout a text of their own: " + ("; ".join(bare) or "none") + ".")
    for text, names in bearers.items():
        print(f"\n{'=' * 80}\n{', '.join(sorted(set(names)))}\n{'-' * 80}\n{text}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
