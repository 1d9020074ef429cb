from decimal import Decimal, getcontext


def answer(settings, request):
    getcontext().prec = 40
    return "%s %s\n" % (Decimal(1) / Decimal(7), settings["currency"])
