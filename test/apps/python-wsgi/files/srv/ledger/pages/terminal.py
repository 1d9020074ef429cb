import curses
import difflib
import statistics
import unicodedata


def answer(settings, request):
    curses.setupterm("xterm", 1)
    return "%s %s %s %s\n" % (curses.tigetnum("colors"), statistics.median([1, 5, 3]), unicodedata.name("é"), difflib.get_close_matches("rop", ["rope", "sail"]))
