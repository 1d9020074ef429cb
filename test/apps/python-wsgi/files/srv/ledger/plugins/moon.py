import calendar


def answer():
    return "moon %s\n" % calendar.isleap(2024)
