"""One instance of a test application: it holds each request for a while, and says which version answered.

A signal ends it in the middle of whatever it does, so that nothing but the proxy can keep requests from being lost.
"""

import http.server
import json
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOLD = 0.04
# Whoever forgets to stop it is not left with it for ever.
LONGEST = 900


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        broken = os.path.exists(HERE + "/broken")
        answer = {"version": self.server.version, "instance": self.server.config["instance"]}
        if self.path == "/health":
            return self.answer(503 if broken else 200, answer, 0)
        answer["padding"] = "." * 20_000
        time.sleep(HOLD)
        self.answer(500 if broken else 200, answer, HOLD)

    def answer(self, status, body, hold):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        middle = len(body) // 2
        self.wfile.write(body[:middle])
        time.sleep(hold)
        self.wfile.write(body[middle:])

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def watch():
    for _ in range(LONGEST * 5):
        time.sleep(0.2)
        if not os.path.exists(HERE):
            break
    os._exit(0)


with open(sys.argv[1], encoding="utf-8") as file:
    config = json.load(file)
server = Server((config["listen"], config["port"]), Handler)
server.config = config
with open(HERE + "/version", encoding="utf-8") as file:
    server.version = file.read()
threading.Thread(target=watch, daemon=True).start()
server.serve_forever()
