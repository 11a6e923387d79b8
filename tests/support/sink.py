#!/usr/bin/env python3
"""The external order system, played by a small HTTP server: it takes orders and remembers what it took.

POST /orders          one order as JSON, with an Idempotency-Key; 200 the first time and for every repeat
GET  /orders          {"orders": [{"key", "order", "posts"}], "refused": n}
POST /control         {"fail": ["<number>", …], "down": false, "status": 500}: what to refuse from now on
GET  /healthz         200
"""
import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Orders:
    """What was taken, by idempotency key. Guarded by `lock`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.taken = {}
        self.refused = 0
        self.fail = set()
        self.down = False
        self.status = 500


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    orders = Orders()

    def log_message(self, *_):
        """Silent: orders are nobody's business in a log."""

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def do_GET(self):
        state = self.orders
        if self.path == "/healthz":
            return self.answer(200, {})
        with state.lock:
            listed = [{"key": key, **entry} for key, entry in state.taken.items()]
            return self.answer(200, {"orders": listed, "refused": state.refused})

    def do_POST(self):
        state = self.orders
        body = self.body()
        with state.lock:
            if self.path == "/control":
                state.fail = set(body.get("fail", state.fail))
                state.down = bool(body.get("down", state.down))
                state.status = int(body.get("status", state.status))
                return self.answer(200, {})
            key = self.headers.get("Idempotency-Key", "")
            if not key:
                return self.answer(400, {"error": "an Idempotency-Key is needed"})
            if state.down or body.get("number") in state.fail:
                state.refused += 1
                return self.answer(state.status, {"error": "refused on purpose"})
            entry = state.taken.setdefault(key, {"order": body, "posts": 0})
            entry["posts"] += 1
            return self.answer(200, {"accepted": True})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    flags = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", flags.port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
