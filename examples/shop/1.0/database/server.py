"""The shop's database server: the products of a SQLite file as JSON, whatever columns they have."""

import argparse
import http.server
import json
import signal
import sqlite3
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        connection = sqlite3.connect(self.server.database)
        try:
            connection.row_factory = sqlite3.Row
            if self.path == "/products":
                self.answer(200, [dict(row) for row in connection.execute("SELECT * FROM products ORDER BY id")])
            elif self.path == "/health":
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                self.answer(200, {"schema": version})
            else:
                self.answer(404, {"error": "no such page"})
        except sqlite3.Error as error:
            self.answer(500, {"error": str(error)})
        finally:
            connection.close()

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--port", required=True, type=int)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = http.server.ThreadingHTTPServer((arguments.listen, arguments.port), Handler)
    server.database = arguments.database
    server.serve_forever()


main()
