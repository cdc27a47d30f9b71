#!/usr/bin/env python3
"""Runs the guides as their readers would: guides.py [NAME …]

A block of `sh` is typed into one shell for the whole page, in an empty folder.  A block whose first
line names a file (```python create.py) is that file.  A block of `text` holds lines that the block
before it prints, in this order; `…` stands for anything.  Blocks of `rust` are doctests and run with
those.

PROXMOX_CI=FILE in the environment names the program; without it target/debug/proxmox-ci is run.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUIDES = ROOT / "examples" / "guides"
LIMIT = 180
MARK = "\x1e"


def blocks(text):
    """The fenced blocks of a page: language, file name, body, line."""
    fence = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
    for found in fence.finditer(text):
        yield found.group(1), found.group(2), found.group(3), text.count("\n", 0, found.start()) + 1


def missing(expected, printed):
    """The first expected line that was not printed after those before it."""
    lines = iter(printed.splitlines())
    for wanted in filter(None, expected.splitlines()):
        if wanted == "…":
            continue
        pattern = ".*".join(re.escape(part) for part in wanted.split("…"))
        if not any(re.search(pattern, line) for line in lines):
            return wanted
    return None


def environment(folder, program):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PROXMOX_CI")}
    places = [str(program.parent), clean["PATH"]]
    return {**clean, "PATH": os.pathsep.join(places), "HOME": str(folder), "NO_COLOR": "1", "COLUMNS": "80",
            "ANSIBLE_NOCOLOR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def run(name, program):
    text = (GUIDES / f"{name}.md").read_text()
    folder = ROOT / "target" / "guides" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    script, expected, typed = "exec 2>&1\n", {}, []
    for language, file, body, line in blocks(text):
        if file:
            (folder / file).write_text(body)
        elif language == "sh":
            script += f"{body}printf '{MARK}'\n"
            typed.append(line)
        elif language == "text":
            expected[len(typed) - 1] = body
    shell = subprocess.Popen(["bash", "-eu", "-o", "pipefail", "-c", script], cwd=folder, text=True,
                             env=environment(folder, program), stdin=subprocess.DEVNULL,
                             stdout=(folder / "output").open("w"), start_new_session=True)
    try:
        code = shell.wait(LIMIT)
    except subprocess.TimeoutExpired:
        code = f"no end within {LIMIT} s"
    finally:
        # What the page left running is ours too: it is in a session of its own.
        try:
            os.killpg(shell.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    printed = (folder / "output").read_text().split(MARK)
    done = len(printed) - 1
    if code != 0:
        return f"{name}.md:{typed[min(done, len(typed) - 1)]}: ended with {code}\n{printed[-1]}"
    for number, lines in expected.items():
        lack = missing(lines, printed[number])
        if lack is not None:
            return f"{name}.md:{typed[number]}: this was not printed: {lack}\n--- but\n{printed[number]}"
    return None


def main():
    program = pathlib.Path(os.environ.get("PROXMOX_CI", ROOT / "target/debug/proxmox-ci")).resolve()
    if program.name != "proxmox-ci" or not program.exists():
        sys.exit(f"guides: there is no program `{program}`; cargo build -p cli makes one")
    shells = [path.stem for path in sorted(GUIDES.glob("*.md")) if "```sh\n" in path.read_text()]
    names = sys.argv[1:] or shells
    for name in names:
        begin = time.monotonic()
        problem = run(name, program)
        if problem:
            sys.exit(f"guides: {problem}")
        print(f"guide: {name}.md does what it says ({time.monotonic() - begin:.1f} s)")


main()
