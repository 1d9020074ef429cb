import codecs


def answer(settings, request):
    names = ("koi8-r", "shift_jis", "euc-kr", "gb18030", "idna", "punycode", "utf-7", "cp850")
    return " ".join(codecs.lookup(name).name for name in names) + "\n"
