#!/usr/bin/python3
"""Tells the value in the data volume to everyone who asks over HTTP."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VALUE = Path("/var/lib/store/value")


class Teller(BaseHTTPRequestHandler):
    """Answers every GET with the value as it is now."""

    def do_GET(self):
        body = VALUE.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 8000), Teller).serve_forever()
