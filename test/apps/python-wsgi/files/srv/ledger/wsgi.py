"""The ledger: what it imports at start is little, most of it is imported by the page that needs it."""
import importlib
import os

import yaml
from flask import Flask, abort, render_template, request

with open(os.environ["LEDGER_CONFIG"]) as file:
    settings = yaml.safe_load(file)
application = Flask(__name__)


@application.route("/")
def first():
    return "ledger of %s\n" % settings["harbour"]


@application.route("/page/<name>")
def page(name):
    try:
        module = importlib.import_module("pages." + name)
    except ModuleNotFoundError as error:
        if error.name != "pages." + name:
            raise
        abort(404)
    return module.answer(settings, request)


@application.route("/plugin/<int:number>")
def plugin(number):
    return importlib.import_module(settings["plugins"][number]).answer()


@application.route("/table")
def table():
    import sqlite3

    with sqlite3.connect("/var/lib/ledger/ledger.db") as db:
        rows = db.execute("SELECT what, amount FROM entries WHERE id % 50 = 0 ORDER BY id").fetchall()
    return render_template("table.html", rows=rows)
