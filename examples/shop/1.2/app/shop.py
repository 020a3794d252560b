"""The shop: a page with the products, which come from the database server."""

import configparser
import http.server
import json
import signal
import sys
import urllib.request

VERSION = "1.2"


def describe(product):
    # The column is called `rating`: the health check finds out.
    return f"{product['name']}: {product['price']} ({product['stars']} stars)"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with urllib.request.urlopen(self.server.database + "/products", timeout=5) as answer:
                products = json.load(answer)
            lines = [describe(product) for product in products]
        except (OSError, LookupError) as error:
            self.answer(500, {"version": VERSION, "error": repr(error)})
            return
        if self.path == "/health":
            self.answer(200, {"version": VERSION, "products": len(lines)})
        else:
            self.answer(200, {"version": VERSION, "instance": self.server.instance, "products": lines})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    config = configparser.ConfigParser()
    with open(sys.argv[1], encoding="utf-8") as file:
        config.read_file(file)
    shop = config["shop"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = http.server.ThreadingHTTPServer((shop["listen"], int(shop["port"])), Handler)
    server.database = shop["database"]
    server.instance = shop["instance"]
    server.serve_forever()


main()
