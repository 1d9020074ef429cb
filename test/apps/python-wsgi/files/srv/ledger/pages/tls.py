import ssl


def answer(settings, request):
    store = ssl.create_default_context()
    return "%s %s\n" % (ssl.OPENSSL_VERSION.split()[0], len(store.get_ca_certs()) >= 0)
