import ctypes
import ctypes.util
import hashlib
import uuid


def answer(settings, request):
    return "%s %s %s\n" % (ctypes.CDLL("libc.so.6").abs(-5), hashlib.blake2b(b"rope").hexdigest()[:16], uuid.uuid5(uuid.NAMESPACE_DNS, "rope"))
