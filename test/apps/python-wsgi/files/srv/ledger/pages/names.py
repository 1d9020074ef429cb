import grp
import pwd
import socket


def answer(settings, request):
    return "%s %s %s\n" % (pwd.getpwnam("www-data").pw_dir, grp.getgrgid(0).gr_name, socket.getaddrinfo("localhost", "https", socket.AF_INET)[0][4])
