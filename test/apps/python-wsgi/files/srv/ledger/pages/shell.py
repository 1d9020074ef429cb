import subprocess


def answer(settings, request):
    return subprocess.run("echo shell | tr a-z A-Z; id -un", shell=True, capture_output=True, text=True).stdout
