import xml.etree.ElementTree as tree
from xml.sax.saxutils import escape


def answer(settings, request):
    root = tree.fromstring("<harbour><ship>%s</ship></harbour>" % escape("A & B"))
    return tree.tostring(root, encoding="unicode") + "\n"
