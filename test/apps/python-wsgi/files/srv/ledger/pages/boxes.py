import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib


def answer(settings, request):
    text = b"rope " * 1000
    lines = ["%s %s" % (one.__name__, one.decompress(one.compress(text)) == text) for one in (bz2, gzip, lzma, zlib)]
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", text)
    with tarfile.open(fileobj=io.BytesIO(), mode="w:xz") as file:
        lines.append(type(file).__name__)
    return "\n".join(lines) + "\n"
