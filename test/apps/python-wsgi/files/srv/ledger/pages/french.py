import locale


def answer(settings, request):
    locale.setlocale(locale.LC_ALL, "fr_FR.UTF-8")
    try:
        return "%s %s\n" % (locale.format_string("%.2f", 1234567.891, grouping=True), locale.nl_langinfo(locale.MON_8))
    finally:
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
