"""Brings the shop's database up to a schema version by running the numbered SQL files that are still missing.

Never goes back: a release that is rolled back finds columns it does not use, and no lost data.
"""

import argparse
import pathlib
import sqlite3
import sys


def number(path):
    return int(path.name.split("-")[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True)
    parser.add_argument("--migrations", required=True, type=pathlib.Path)
    parser.add_argument("--to", required=True, type=int)
    arguments = parser.parse_args()

    connection = sqlite3.connect(arguments.database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    (current,) = connection.execute("PRAGMA user_version").fetchone()
    if current >= arguments.to:
        print(f"the schema is at version {current} already")
        return
    files = {number(path): path for path in arguments.migrations.glob("*-*.sql")}
    for version in range(current + 1, arguments.to + 1):
        if version not in files:
            sys.exit(f"there is no migration {version} in {arguments.migrations}")
        script = files[version].read_text()
        connection.executescript(f"BEGIN;\n{script}\nPRAGMA user_version = {version};\nCOMMIT;")
        print(f"migrated to version {version}: {files[version].name}")


main()
