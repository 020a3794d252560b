"""The shop's front door: passes requests to the application's instances in turn; SIGHUP makes it read its file again."""

import configparser
import http.server
import itertools
import signal
import sys
import urllib.error
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # Each is tried once, beginning with the one whose turn it is.
        turn = next(self.server.turns)
        backends = self.server.backends
        for position in range(len(backends)):
            backend = backends[(turn + position) % len(backends)]
            try:
                with urllib.request.urlopen(backend + self.path, timeout=5) as answer:
                    self.answer(answer.status, answer.read())
                    return
            except urllib.error.HTTPError as error:
                self.answer(error.code, error.read())
                return
            except OSError:
                continue
        self.answer(502, b'{"error": "no instance answers"}')

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def read(path):
    config = configparser.ConfigParser()
    with open(path, encoding="utf-8") as file:
        config.read_file(file)
    return config


def main():
    path = sys.argv[1]
    config = read(path)
    proxy = config["proxy"]
    server = http.server.ThreadingHTTPServer((proxy["listen"], int(proxy["port"])), Handler)
    server.turns = itertools.count()

    def load(*_):
        server.backends = list(read(path)["backends"].values())

    load()
    signal.signal(signal.SIGHUP, load)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.serve_forever()


main()
