#!/usr/bin/python3
"""Answers over HTTP with the value that the store tells."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

STORE = os.environ["STORE"]


class Asker(BaseHTTPRequestHandler):
    """Asks the store for every GET; says so when it does not answer."""

    def do_GET(self):
        try:
            with urlopen(STORE, timeout=5) as answer:
                status, body = 200, b"the store says: " + answer.read()
        except OSError as error:
            status, body = 502, f"the store does not answer: {error}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 8080), Asker).serve_forever()
