#!/usr/bin/env python3
"""Writes report.json and prints the timeline of a run of layers.sh or demo.sh.

    report.py DIR GUESTS

DIR holds steps.tsv (name, kind, begin and end in seconds), proofs.tsv (name, true or false) and the
run journals that are named in journals.txt.  Steps within the program come from its run journal.
"""
import datetime
import json
import os
import pathlib
import sys

# Time that somebody else spends: everything outside of these is our own. The rule: a compiler, the
# disk of the hypervisor (a root file system is written and removed), the guest's own system (it comes
# up and goes down), packages, Ansible and the like. Whatever we ask, send, wait for too long or prove
# is ours, an answer of our own node or Git service among it.
FOREIGN = {"build", "image", "unpack", "removal", "boot", "shutdown", "apt", "provisioner"}
# What an action of the run journal spends its time with.
KINDS = {"create": "unpack", "destroy": "removal", "start": "boot", "reboot": "boot", "reach": "boot",
         "shutdown": "shutdown", "base-role": "provisioner", "provision": "provisioner"}


def rows(path):
    if not path.exists():
        return []
    return [line.split("\t") for line in path.read_text().splitlines() if line]


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def journalled(path):
    """Steps from the intentions of a run journal and their ends."""
    steps, open_, starting = [], {}, {}
    for line in path.read_text().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if "stage" in record:
            staged(record, steps, open_)
            continue
        who = (record.get("run"), record.get("container"))
        if who in starting:
            # What follows a start is the guest on its way up, until we do something again.
            begin = starting.pop(who)
            steps.append([f"{record['container']} container-default reach", "boot", begin, moment(record["at"])])
        if record["event"] == "done" and record["action"] in ("start", "reboot"):
            starting[who] = moment(record["at"])
        key = tuple(record.get(name) for name in ("run", "container", "layer", "action"))
        if record["event"] == "intend":
            open_[key] = moment(record["at"])
        elif record["event"] in ("done", "failed") and key in open_:
            action = record["action"]
            name = f'{record["container"]} {record["layer"]} {action}'
            kind = KINDS.get(action.split(" ")[0], action)
            steps.append([name, kind, open_.pop(key), moment(record["at"])])
    return steps


def staged(record, steps, open_):
    """A step of a bootstrap; what the engine does for the stage `container` it journals itself."""
    key = tuple(record.get(name) for name in ("run", "stage", "step"))
    if record["event"] == "intend":
        open_[key] = moment(record["at"])
    elif record["event"] in ("done", "failed") and key in open_ and record["stage"] != "container":
        name = f'bootstrap {record["stage"]} {record["step"]}'
        kind = "apt" if "package" in record["step"] else "stage"
        steps.append([name, kind, open_.pop(key), moment(record["at"])])


def own_seconds(begin, end, steps):
    """Wall time during which no foreign step is open."""
    spans = sorted((max(begin, s[2]), min(end, s[3])) for s in steps if s[1] in FOREIGN)
    foreign, reached = 0.0, begin
    for first, last in spans:
        first = max(first, reached)
        if last > first:
            foreign += last - first
            reached = last
    return end - begin - foreign


def main():
    folder, guests = pathlib.Path(sys.argv[1]), sys.argv[2]
    steps = [[name, kind, float(begin), float(end)] for name, kind, begin, end in rows(folder / "steps.tsv")]
    for (journal,) in rows(folder / "journals.txt"):
        if pathlib.Path(journal).exists():
            steps += journalled(pathlib.Path(journal))
    steps.sort(key=lambda step: (step[2], -step[3]))
    proofs = {name: value == "true" for name, value in rows(folder / "proofs.tsv")}
    skipped = [name for (name,) in rows(folder / "skipped.tsv")]
    begin, end = min(s[2] for s in steps), max(s[3] for s in steps)
    report = {
        "ok": bool(proofs) and all(proofs.values()),
        "guests": guests,
        "seconds": {"total": round(end - begin, 3), "own": round(own_seconds(begin, end, steps), 3)},
        "load": os.getloadavg()[0],
        "steps": [{"name": n, "kind": k, "begin": round(b - begin, 3), "seconds": round(e - b, 3)} for n, k, b, e in steps],
        "proofs": proofs,
        "skipped": skipped,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print("\n   begin  seconds  kind         what")
    for name, kind, first, last in steps:
        print(f"{first - begin:8.2f} {last - first:8.2f}  {kind:<12} {name}")
    for name, value in proofs.items():
        print(f"{'proved' if value else 'NOT PROVED':>10}  {name}")
    for name in skipped:
        print(f"   skipped  {name}: there is no guest to look into")
    total, own = report["seconds"]["total"], report["seconds"]["own"]
    print(f"\n{total:.1f} s in all, {own:.1f} s of it own; load {report['load']:.2f}; {folder}/report.json")
    sys.exit(0 if report["ok"] else 1)


if __name__ == "__main__":
    main()
