#!/usr/bin/env python3
"""Serves "Hello, World!" on the loopback interface."""

import argparse
import os

from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)


@app.get("/")
def hello():
    return "Hello, World!"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", nargs="?", type=int, default=int(os.environ.get("PORT", "5000")),
                        help="0 picks a free one (default: $PORT, else 5000)")
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    server = make_server(arguments.host, arguments.port, app, threaded=True)
    # The port that was really taken, for whoever asked for a free one.
    print(f"listening on http://{arguments.host}:{server.port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
