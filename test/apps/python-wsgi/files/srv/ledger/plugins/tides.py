def answer():
    return "tide %s\n" % (3 * 7)
