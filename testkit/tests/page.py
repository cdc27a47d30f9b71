#!/usr/bin/env python3
"""Opens the page of `node --sim` in headless Chromium, and looks at it as a person would.

    page.py PROXMOX_CI OUT

Starts a node with containers in memory, drives the browser over its debugging pipe (nothing but
Python's standard library), and leaves screenshots of the page, light and dark, in OUT.  Fails when
something of a guest, a task or a request is shown as markup, when the page asks anybody else for
anything, when its policy is violated, or when it does not follow what happens on the node.
"""
import base64
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

PATIENCE = 60.0
HOSTILE = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'


def fail(words):
    sys.exit(f"page: {words}")


class Node:
    """The program under test, and what its ready file says."""

    def __init__(self, program, folder):
        ready = folder / "ready.json"
        self.talk = folder / "node.log"
        self.process = subprocess.Popen(
            [program, "node", "--listen", "127.0.0.1:0", "--sim", "127.0.0.1:0", "--ready-file", str(ready)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.talk.open("w"))
        until(ready.exists, "the node is ready")
        self.ready = json.loads(ready.read_text())
        self.context = ssl.create_default_context(cafile=self.ready["ca_file"])

    def page(self):
        """The address that was printed, which must be there once."""
        lines = [line for line in self.talk.read_text().splitlines() if "/?token=" in line]
        if len(lines) != 1:
            fail(f"the address of the page is printed {len(lines)} times")
        return lines[0].split()[-1]

    def api(self, method, path, **form):
        body = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self.ready["urls"][-1] + "/api2/json" + path, body, method=method)
        request.add_header("Authorization", "PVEAPIToken=" + self.ready["root_token"])
        try:
            with urllib.request.urlopen(request, context=self.context) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError:
            return None

    def sim(self, method, what, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f'{self.ready["sim_url"]}/{what}', data, method=method)
        request.add_header("Authorization", "Bearer " + self.ready["sim_token"])
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)


class Browser:
    """Headless Chromium, spoken to over its debugging pipe: JSON, each message ended by a NUL."""

    def __init__(self, folder):
        names = ["chromium-headless-shell", "chromium", "chromium-browser"]
        program = next(filter(None, map(shutil.which, names)), None)
        if program is None:
            fail("Chromium is missing: apt-get install chromium-headless-shell")
        to_it, ours = os.pipe()
        theirs, from_it = os.pipe()

        def place():
            # The browser reads at 3 and writes at 4: first both out of the way of each other.
            one, other = os.dup(to_it), os.dup(from_it)
            os.dup2(one, 3)
            os.dup2(other, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={folder / 'profile'}", "--hide-scrollbars", "--no-first-run"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=place, close_fds=False)
        os.close(to_it)
        os.close(from_it)
        self.write, self.read = os.fdopen(ours, "wb"), os.fdopen(theirs, "rb")
        self.number, self.events, self.buffer = 0, [], b""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        self.write.write(json.dumps(message).encode() + b"\0")
        self.write.flush()
        while True:
            answer = self.next()
            if answer.get("id") != self.number:
                self.events.append(answer)
            elif "error" in answer:
                fail(f"{method}: {answer['error']}")
            else:
                return answer["result"]

    def next(self):
        while b"\0" not in self.buffer:
            part = self.read.read1(1 << 16)
            if not part:
                fail("the browser ended")
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def open(self, address):
        self.ask("Page.navigate", url=address)
        until(lambda: self.value("document.readyState") == "complete", f"{address} is loaded")

    def value(self, script):
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            fail(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def look(self, name, scheme, width=1280):
        """A picture of the whole page."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        height = min(int(self.value("document.documentElement.scrollHeight")), 2400)
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        shot = self.ask("Page.captureScreenshot", format="png")
        name.write_bytes(base64.b64decode(shot["data"]))

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def until(holds, what):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            fail(f"it does not come true that {what}")
        time.sleep(0.05)


def container(node, vmid, name, **more):
    template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
    return node.api("POST", "/nodes/pve1/lxc", vmid=vmid, hostname=name, ostemplate=template, rootfs="local:8",
                    memory=1024, cores=2, net0=f"name=eth0,bridge=vmbr0,ip=10.77.0.{vmid}/24", **more)


def populate(node):
    node.sim("PUT", "tasks", {"timing": "instant"})
    for vmid, name, tags in [(101, "db", "data"), (102, "app", "shop"), (103, "web", "public;shop")]:
        container(node, vmid, name, tags=tags, password="canary-of-the-page")
        node.api("POST", f"/nodes/pve1/lxc/{vmid}/status/start")
    container(node, 104, "metrics")
    node.api("GET", "/nodes/pve1/lxc/999/config")
    node.api("GET", "/nodes/pve1/lxc/" + urllib.parse.quote("<b>nobody</b>"))


def follows(node, browser):
    """What happens on the node is on the page, without anybody loading it again."""
    rows = "document.querySelectorAll('#guests tbody tr').length"
    until(lambda: browser.value(rows) == 4, "four guests are shown")
    browser.value("window.mark = 'never loaded again'")
    container(node, 105, "newcomer")
    until(lambda: browser.value(rows) == 5, "a new guest is shown")
    node.api("POST", "/nodes/pve1/lxc/101/status/stop")
    state = "document.querySelector('[data-vmid=\"101\"]').cells[2].textContent"
    until(lambda: browser.value(state) == "stopped", "a stopped guest is shown as stopped")
    if browser.value("window.mark") != "never loaded again":
        fail("the page was loaded again")
    # A row that comes meanwhile may take the place of the one that was opened.
    opened = ("for (const one of document.querySelectorAll('#exchanges details')) one.open = true;"
              "document.querySelectorAll('#exchanges pre').length > 0")
    until(lambda: browser.value(opened), "an exchange opens")
    browser.value("for (const one of document.querySelectorAll('#exchanges details')) one.open = false")


def escapes(node, browser):
    """A name that no server would take, put where a careless page would run it."""
    world = node.sim("GET", "state")
    world["guests"]["104"]["config"].update(hostname=HOSTILE, tags=HOSTILE, lock=HOSTILE)
    node.sim("PUT", "state", world)
    name = "document.querySelector('[data-vmid=\"104\"]').cells[1].textContent"
    until(lambda: browser.value(name) == HOSTILE, "the hostile name is shown as text")
    if browser.value("document.querySelectorAll('img, main script').length") != 0:
        fail("a name became markup")
    if browser.value("document.title") == "owned":
        fail("a name was run")
    world["guests"]["104"]["config"].update(hostname="metrics", tags="shop")
    del world["guests"]["104"]["config"]["lock"]
    node.sim("PUT", "state", world)
    until(lambda: browser.value(name) == "metrics", "the name is an honest one again")


def refuses(node, browser):
    """Without the token, and with another: a page that says what to do."""
    base = node.page().split("?")[0]
    for address in (base, base + "?token=00"):
        browser.open(address)
        words = browser.value("document.body.innerText")
        if "401" not in words or "token" not in words:
            fail(f"{address} says: {words}")


def honest(node, browser):
    """No secret in the page, nothing asked elsewhere, no violation of the policy."""
    for secret in (node.ready["root_password"], node.ready["root_token"].split("=")[1], "canary-of-the-page"):
        if secret in browser.value("document.documentElement.outerHTML"):
            fail("a secret is in the page")
    origin = node.page().split("/?")[0]
    for event in browser.events:
        if event.get("method") == "Network.requestWillBeSent":
            url = event["params"]["request"]["url"]
            if not url.startswith((origin, "data:", "about:")):
                fail(f"the page asks {url}")
        if event.get("method") == "Log.entryAdded":
            entry = event["params"]["entry"]
            if "401" not in entry["text"]:
                fail(f"the browser complains: {entry['text']} {entry.get('url', '')}")
        if event.get("method") == "Runtime.exceptionThrown":
            fail(f"the script failed: {event['params']}")


def main():
    program, out = sys.argv[1], pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        node = Node(program, folder)
        try:
            browser = Browser(folder)
            try:
                populate(node)
                browser.open(node.page())
                follows(node, browser)
                browser.look(out / "page-light.png", "light")
                browser.look(out / "page-dark.png", "dark")
                browser.look(out / "page-narrow.png", "light", 420)
                escapes(node, browser)
                honest(node, browser)
                refuses(node, browser)
                browser.look(out / "page-refused.png", "light", 800)
            finally:
                browser.stop()
        finally:
            node.stop()
    print(f"page: lives, escapes and refuses; pictures in {out} ({time.monotonic() - begin:.1f} s)")


main()
