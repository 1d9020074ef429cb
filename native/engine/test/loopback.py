# SPDX-License-Identifier: Apache-2.0
"""Stream sockets on loopback: `loopback.py NAME` prints what a program sees, which is the same by TCP and by
fast loopback; without a name it lists the cases. How each connection that is looked at really goes (tcp or
fast) is said on stderr."""
import array
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

TCP = socket.IPPROTO_TCP
cases = {}


def case(f):
    cases[f.__name__] = f
    return f


def way(s, where=sys.stderr):
    """By the kernel's own tables: the engine answers calls, not for these."""
    inode = os.fstat(s.fileno()).st_ino
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as lines:
            if any(line.split()[9] == str(inode) for line in lines):
                print("tcp", file=where)
                return
    with open("/proc/net/unix", errors="replace") as lines:
        found = any(line.split()[6:7] == [str(inode)] for line in lines)
    print("fast" if found else "neither", file=where)


def listener(address="127.0.0.1", port=0, family=socket.AF_INET, backlog=8, **options):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for name, value in options.items():
        s.setsockopt(TCP if name.startswith("TCP") else socket.SOL_SOCKET, getattr(socket, name), value)
    s.bind((address, port))
    s.listen(backlog)
    return s


def pair(s=None, to="127.0.0.1", look=True):
    s = s or listener()
    c = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET)
    c.connect((to, s.getsockname()[1]))
    a, address = s.accept()
    if look:
        way(c)
        way(a)
    return s, c, a, address


def error(f):
    try:
        return f()
    except OSError as e:
        return errno.errorcode.get(e.errno, e.errno)


def child(f):
    """What it prints comes before what follows here; its status is printed."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            f()
            sys.stdout.flush()
            os._exit(0)
        except BaseException as e:
            print("failed in the child", repr(e), flush=True)
            os._exit(1)
    return pid


def ended(pid):
    print("status", os.waitpid(pid, 0)[1])


def program(text, *words, fds=()):
    """Another program, with these descriptors."""
    return subprocess.run([sys.executable, __file__, "run", text, *map(str, words)], pass_fds=fds, timeout=20, check=False, stdout=subprocess.PIPE, text=True).stdout


@case
def names():
    s, c, a, address = pair()
    print(c.getsockname() == a.getpeername() == address, c.getpeername() == s.getsockname() == a.getsockname())
    print(address[0], address[1] > 1023, c.family, a.family, c.type, a.type)
    c.sendall(b"there")
    print(a.recv(9))
    a.sendall(b"back")
    print(c.recv(9))
    a.close()
    print(c.recv(9), c.getpeername() == s.getsockname())
    c.close()


@case
def closed_by_peer():
    _, c, a, _ = pair()
    c.sendall(b"last")
    name = c.getsockname()
    c.close()
    print(a.getpeername() == name, a.recv(9), a.recv(9), a.getpeername() == name)


@case
def in_progress():
    s = listener()
    c = socket.socket()
    c.setblocking(False)
    print(errno.errorcode[c.connect_ex(s.getsockname())])
    print(select.select([], [c], [], 5)[1] == [c], c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    print([errno.errorcode.get(c.connect_ex(s.getsockname()), 0) for _ in range(2)])
    a, _ = s.accept()
    c.send(b"x")
    print(a.recv(1), error(lambda: c.recv(1)), a.getblocking(), c.getblocking())
    way(c)
    way(a)


@case
def connected_twice():
    s, c, _, _ = pair()
    print(errno.errorcode[c.connect_ex(s.getsockname())], error(lambda: c.bind(("127.0.0.1", 0))), error(lambda: c.listen(1)), error(c.accept))


@case
def refused():
    s = listener()
    to = s.getsockname()
    s.close()
    c = socket.socket()
    print(errno.errorcode[c.connect_ex(to)])
    d = socket.socket()
    d.setblocking(False)
    print(errno.errorcode[d.connect_ex(to)] in ("EINPROGRESS", "ECONNREFUSED"))
    s = listener(port=to[1])
    print(errno.errorcode.get(c.connect_ex(to), 0))


@case
def closed_and_bound_anew():
    s, c, a, _ = pair()
    to = s.getsockname()
    for n in range(3):
        c.close()
        a.close()
        s.close()
        s, c, a, _ = pair(listener(port=to[1]))
        c.sendall(b"%d" % n)
        print(a.recv(9), a.getsockname() == to)


@case
def closed_here_and_bound_by_others():
    s = listener()
    to = s.getsockname()
    pair(s)
    s.close()
    r, w = os.pipe()

    def serve():
        other = listener(port=to[1])
        os.write(w, b".")
        a, _ = other.accept()
        a.sendall(b"another " + a.recv(9))

    pid = child(serve)
    os.read(r, 1)
    c = socket.create_connection(to)
    c.sendall(b"one")
    print(c.recv(99))
    way(c)
    ended(pid)


@case
def replaced_by_dup():
    s = listener()
    to = s.getsockname()
    pair(s)
    os.dup2(os.open("/dev/null", os.O_RDONLY), s.fileno())
    print(errno.errorcode[socket.socket().connect_ex(to)])
    t, c, a, _ = pair(listener(port=to[1]))
    c.sendall(b"x")
    print(a.recv(9))


@case
def no_longer_listening():
    s = listener()
    pair(s)
    to = s.getsockname()
    s.shutdown(socket.SHUT_RDWR)
    print(errno.errorcode[socket.socket().connect_ex(to)])
    t = listener(port=to[1])
    c = socket.create_connection(to)
    t.accept()[0].sendall(b"x")
    print(c.recv(9))


@case
def polled():
    s = listener()
    s.setblocking(False)
    print(error(s.accept))
    e = select.epoll()
    e.register(s, select.EPOLLIN)
    edge = select.epoll()
    edge.register(s, select.EPOLLIN | select.EPOLLET)
    p = select.poll()
    p.register(s, select.POLLIN)
    print(e.poll(0), edge.poll(0), p.poll(0), select.select([s], [], [], 0)[0])
    both = [socket.create_connection(s.getsockname()) for _ in range(2)]
    for n in range(3):
        ready = [len(e.poll(1 if n < 2 else 0)), len(p.poll(0)), len(select.select([s], [], [], 0)[0])]
        print(ready, len(edge.poll(0)) if n == 0 else "")
        if n < 2:
            a, _ = s.accept()
            way(a)
            ea = select.epoll()
            ea.register(a, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
            print(ea.poll(1)[0][1] == select.EPOLLOUT, ea.poll(0))
            i = [c.getsockname() for c in both].index(a.getpeername())
            both[i].send(b"x")
            print(ea.poll(1)[0][1] == select.EPOLLIN | select.EPOLLOUT)
            both[i].shutdown(socket.SHUT_WR)
            time.sleep(0.05)
            print(bool(ea.poll(1)[0][1] & select.EPOLLIN))


@case
def watched_before_it_was_connected():
    s = listener()
    c = socket.socket()
    c.setblocking(False)
    e = select.epoll()
    e.register(c, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    e.poll(0)
    print(errno.errorcode[c.connect_ex(s.getsockname())], bool(e.poll(1)[0][1] & select.EPOLLOUT))
    a, _ = s.accept()
    a.send(b"x")
    print(bool(e.poll(1)[0][1] & select.EPOLLIN), c.recv(9))
    e.modify(c, select.EPOLLIN)
    a.send(b"y")
    print(e.poll(1) == [(c.fileno(), select.EPOLLIN)])
    way(c)


@case
def watched_by_two():
    s = listener()
    c = socket.socket()
    two = [select.epoll(), select.epoll()]
    for e in two:
        e.register(c, select.EPOLLIN)
    c.connect(s.getsockname())
    a, _ = s.accept()
    a.send(b"x")
    print([bool(e.poll(1)[0][1] & select.EPOLLIN) for e in two])
    way(c, sys.stdout)


@case
def flags():
    s = listener()
    s.setblocking(False)
    a4 = ctypes_accept4
    for flag in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
        c = socket.socket()
        os.set_inheritable(c.fileno(), bool(flag))
        c.connect(s.getsockname())
        select.select([s], [], [])
        fd = a4(s.fileno(), flag)
        print(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK, fcntl.fcntl(fd, fcntl.F_GETFD), os.get_inheritable(c.fileno()))
        a = socket.socket(fileno=fd)
        way(a)


def ctypes_accept4(fd, flag):
    import ctypes

    return ctypes.CDLL(None, use_errno=True).accept4(fd, None, None, flag)


@case
def options():
    s = listener(TCP_NODELAY=1, SO_KEEPALIVE=1)
    s, c, a, _ = pair(s)
    many = [(socket.SOL_SOCKET, n) for n in ("SO_TYPE", "SO_DOMAIN", "SO_PROTOCOL", "SO_ERROR", "SO_KEEPALIVE", "SO_REUSEADDR", "SO_ACCEPTCONN", "SO_OOBINLINE")]
    many += [(TCP, n) for n in ("TCP_NODELAY", "TCP_CORK", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_SYNCNT", "TCP_LINGER2", "TCP_USER_TIMEOUT", "TCP_DEFER_ACCEPT")]
    many += [(socket.IPPROTO_IP, n) for n in ("IP_TOS", "IP_TTL")]
    for level, name in many:
        print(name, [error(lambda: x.getsockopt(level, getattr(socket, name))) for x in (c, a)])
    for value in ((TCP, "TCP_NODELAY", 7), (TCP, "TCP_NODELAY", 0), (TCP, "TCP_KEEPIDLE", 33), (TCP, "TCP_KEEPIDLE", 0), (TCP, "TCP_KEEPCNT", 128), (TCP, "TCP_CORK", 1), (TCP, "TCP_USER_TIMEOUT", -1), (socket.IPPROTO_IP, "IP_TTL", 999), (TCP, "TCP_USER_TIMEOUT", 500)):
        level, name, number = value
        print(name, error(lambda: c.setsockopt(level, getattr(socket, name), number)), c.getsockopt(level, getattr(socket, name)))
    print(error(lambda: c.getsockopt(TCP, 999)), error(lambda: c.setsockopt(TCP, 999, 1)), error(lambda: c.setsockopt(TCP, socket.TCP_NODELAY, b"")))
    print(struct.unpack("iII", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)), c.getsockopt(TCP, socket.TCP_INFO, 1))


@case
def options_before_connecting():
    s = listener()
    c = socket.socket()
    c.setsockopt(TCP, socket.TCP_NODELAY, 1)
    c.setsockopt(TCP, socket.TCP_KEEPIDLE, 40)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3))
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 40000)
    told = c.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    c.connect(s.getsockname())
    way(c)
    print(c.getsockopt(TCP, socket.TCP_NODELAY), c.getsockopt(TCP, socket.TCP_KEEPIDLE), c.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8), c.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == told)
    print(error(lambda: c.recv(1)))


@case
def bytes_that_wait():
    _, c, a, _ = pair()
    c.sendall(b"12345")
    time.sleep(0.02)
    count = array.array("i", [0])
    fcntl.ioctl(a.fileno(), 0x541B, count)
    print(count[0], a.recv(2, socket.MSG_PEEK), a.recv(5, socket.MSG_WAITALL), error(lambda: a.recv(1, socket.MSG_DONTWAIT)))
    c.shutdown(socket.SHUT_WR)
    print(a.recv(1), error(lambda: c.send(b"x", socket.MSG_NOSIGNAL)))
    a.sendall(b"still")
    print(c.recv(9))
    a.close()
    print(c.recv(9))


@case
def broken():
    _, c, a, _ = pair()
    c.sendall(b"unread")
    time.sleep(0.02)
    a.close()
    print(error(lambda: c.recv(9)))
    time.sleep(0.02)
    print(error(lambda: c.send(b"x", socket.MSG_NOSIGNAL)))


@case
def messages():
    _, c, a, _ = pair()
    print(c.sendto(b"one", ("192.0.2.1", 9)), c.sendmsg([b"t", b"wo"], [], 0, ("192.0.2.1", 9)))
    time.sleep(0.02)
    print(a.recvfrom(3), a.recvmsg(9, 99))
    print(error(lambda: a.recv(1, socket.MSG_OOB)))


@case
def files():
    _, c, a, _ = pair()
    with tempfile.TemporaryFile() as f:
        f.write(b"z" * 300000)
        f.flush()
        sent, got = 0, []
        t = threading.Thread(target=lambda: [got.append(x) for x in iter(lambda: a.recv(65536), b"")])
        t.start()
        while sent < 300000:
            sent += os.sendfile(c.fileno(), f.fileno(), sent, 300000 - sent)
        c.close()
        t.join()
    print(sum(map(len, got)))


@case
def much():
    _, c, a, _ = pair()
    a.setblocking(False)
    blob = os.urandom(1 << 20)
    t = threading.Thread(target=lambda: [c.sendall(blob) for _ in range(8)] and c.close())
    t.start()
    got = b""
    e = select.epoll()
    e.register(a, select.EPOLLIN | select.EPOLLET)
    while True:
        e.poll(5)
        try:
            while True:
                part = a.recv(70000)
                if not part:
                    break
                got += part
            break
        except BlockingIOError:
            pass
    t.join()
    print(got == blob * 8)


@case
def in_children():
    s, c, a, _ = pair()

    def use():
        c.sendall(b"child %d" % c.getsockopt(TCP, socket.TCP_NODELAY))
        print(c.getpeername() == s.getsockname(), c.getsockname() == a.getpeername())

    ended(child(use))
    print(a.recv(99))


@case
def accepted_by_workers():
    s = listener(backlog=64)
    workers = []

    def work():
        while True:
            a, address = s.accept()
            with a:
                word = a.recv(99)
                if word == b"end":
                    return
                a.sendall(b"%s %s" % (word, repr(address == a.getpeername()).encode()))

    for _ in range(4):
        workers.append(child(work))
    wrong = []

    def ask(i):
        for n in range(40):
            c = socket.create_connection(s.getsockname())
            c.sendall(b"%d-%d" % (i, n))
            got = c.recv(99)
            if got != b"%d-%d True" % (i, n):
                wrong.append(got)
            c.close()

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for _ in workers:
        socket.create_connection(s.getsockname()).sendall(b"end")
    for pid in workers:
        ended(pid)
    print(wrong)


@case
def kept_over_exec():
    s, c, a, address = pair()
    text = "s = socket.socket(fileno=int(sys.argv[3])); way(s); s.sendall(b'told'); print(s.family, s.getsockname(), s.getpeername(), s.getsockopt(TCP, socket.TCP_NODELAY))"
    for x in (c, a):
        print(program(text, x.fileno(), fds=[x.fileno()]).replace(str(address[1]), "A").replace(str(s.getsockname()[1]), "S"), end="")
    print(a.recv(9), c.recv(9))


@case
def listener_kept_over_exec():
    s = listener()
    to = s.getsockname()
    sys.stdout.flush()
    if os.fork() == 0:
        os.set_inheritable(s.fileno(), True)
        text = "s = socket.socket(fileno=int(sys.argv[3])); a, n = s.accept(); way(a); a.sendall(a.recv(9)); print(a.getpeername() == n)"
        os.execv(sys.executable, [sys.executable, __file__, "run", text, str(s.fileno())])
    s.close()
    c = socket.create_connection(to)
    way(c)
    c.sendall(b"over")
    got = c.recv(9)
    os.wait()
    print(got)


@case
def copies():
    s = listener()
    t = s.dup()
    s.close()
    _, c, a, _ = pair(t)
    d = os.dup(c.fileno())
    c.close()
    os.write(d, b"x")
    print(a.recv(9), socket.socket(fileno=d).getpeername() == t.getsockname())
    e = fcntl.fcntl(t.fileno(), fcntl.F_DUPFD, 100)
    t.close()
    pair(socket.socket(fileno=e))


@case
def copied_before_connecting():
    s = listener()
    c = socket.socket()
    d = c.dup()
    c.connect(s.getsockname())
    a, _ = s.accept()
    d.sendall(b"x")
    print(a.recv(9), d.getpeername() == s.getsockname())
    way(c, sys.stdout)


@case
def shared_before_connecting():
    s = listener()
    c = socket.socket()
    pid = child(lambda: c.connect(s.getsockname()))
    ended(pid)
    a, _ = s.accept()
    c.sendall(b"x")
    print(a.recv(9))
    way(c, sys.stdout)


@case
def sent_to_others():
    s, c, a, address = pair()
    left, right = socket.socketpair()

    def receive():
        _, fds, _, _ = socket.recv_fds(right, 9, 1)
        x = socket.socket(fileno=fds[0])
        x.sendall(b"from there")
        print(x.getpeername() == s.getsockname(), x.family)

    socket.send_fds(left, [b"x"], [c.fileno()])
    c.close()
    ended(child(receive))
    print(a.recv(99))


@case
def listener_sent_to_others():
    left, right = socket.socketpair()
    r, w = os.pipe()

    def receive():
        _, fds, _, _ = socket.recv_fds(right, 9, 1)
        a, _ = socket.socket(fileno=fds[0]).accept()
        a.sendall(b"from there")

    pid = child(receive)
    s = listener()
    to = s.getsockname()
    socket.send_fds(left, [b"x"], [s.fileno()])
    c = socket.create_connection(to)
    print(c.recv(99))
    ended(pid)


@case
def shared_ports():
    first = listener(backlog=64, SO_REUSEPORT=1)
    second = listener(port=first.getsockname()[1], backlog=64, SO_REUSEPORT=1)
    got = 0
    clients = [socket.create_connection(first.getsockname()) for _ in range(20)]
    for s in (first, second):
        s.setblocking(False)
        while error(s.accept) != "EAGAIN":
            got += 1
    print(got)
    way(clients[0], sys.stdout)


@case
def full_backlog():
    s = listener(backlog=1)
    s.setblocking(False)
    clients = []
    # One more than there is room for: TCP tries again a second later. With more, some wait for minutes.
    for _ in range(3):
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(s.getsockname())
        clients.append(c)

    def speak(n, c):
        select.select([], [c], [])
        c.setblocking(True)
        c.sendall(b"%d" % n)

    # Each by itself: one that has no place yet must not keep another from it.
    threads = [threading.Thread(target=speak, args=one) for one in enumerate(clients)]
    for t in threads:
        t.start()
    got = []
    while len(got) < len(clients):
        select.select([s], [], [])
        accepted = error(s.accept)
        if accepted != "EAGAIN":
            accepted[0].setblocking(True)
            got.append(int(accepted[0].recv(9)))
    for t in threads:
        t.join()
    print(sorted(got))


@case
def gone_before_it_was_accepted():
    s = listener()
    to = s.getsockname()
    for words in (b"said", b""):
        c = socket.create_connection(to)
        c.sendall(words)
        c.close()
    c = socket.create_connection(to)
    c.shutdown(socket.SHUT_WR)
    time.sleep(0.05)
    got = []
    for _ in range(3):
        a, _ = s.accept()
        got.append(a.recv(9))
        error(lambda: a.sendall(b"hello"))
        a.close()
    print(sorted(got), c.recv(9))


@case
def addresses():
    for at, to in (("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("127.0.0.5", "127.0.0.5"), ("0.0.0.0", "127.3.2.1")):
        s, c, a, address = pair(listener(at), to)
        print(at, to, address[0], c.getsockname()[0], a.getsockname()[0])
    for at, to in (("::", "::1"), ("::1", "::1"), ("::", "127.0.0.1")):
        s, c, a, address = pair(listener(at, family=socket.AF_INET6), to, at == "::")
        print(at, to, address[0], c.getsockname()[0], a.getsockname()[0], a.family, c.family)


@case
def only_ipv6():
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(("::", 0))
    s.listen()
    print(errno.errorcode[socket.socket().connect_ex(("127.0.0.1", s.getsockname()[1]))])
    t = listener("0.0.0.0", s.getsockname()[1])
    for server, to in ((s, "::1"), (t, "127.0.0.1")):
        _, _, a, _ = pair(server, to, server is t)
        print(a.family)


@case
def bound_client():
    s = listener()
    c = socket.socket()
    c.bind(("127.0.0.2", 0))
    name = c.getsockname()
    c.connect(s.getsockname())
    a, address = s.accept()
    print(address == name == c.getsockname())
    way(c, sys.stdout)


@case
def all_descriptors_closed():
    s = listener()
    os.closerange(s.fileno() + 1, 1100)
    for fd in range(3, 1100):
        if fd != s.fileno():
            try:
                os.close(fd)
            except OSError:
                pass
    for fd in (960, 961, 962):
        os.dup2(1, fd)
    pair(s)
    print("ok")


@case
def children_close_what_they_want():
    s = listener()
    subprocess.run(["/bin/true"], close_fds=True, check=True)
    os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_CLOSE, s.fileno())])
    os.wait()
    pair(s)
    print("ok")


@case
def deferred():
    s = listener(TCP_DEFER_ACCEPT=1)
    c = socket.create_connection(s.getsockname())
    c.sendall(b"word")
    s.settimeout(10)
    a, _ = s.accept()
    way(a)
    print(a.recv(9))


@case
def interrupted():
    s = listener()
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    t = threading.Timer(0.3, lambda: socket.create_connection(s.getsockname()).sendall(b"x"))
    t.start()
    a, _ = s.accept()
    print(a.recv(1), len(seen) > 1)
    signal.setitimer(signal.ITIMER_REAL, 0)
    way(a)


def serve(uid):
    """As this user: says its port, and answers until it is told the end."""
    s = listener()
    if uid:
        s.close()
        os.setuid(uid)
        s = listener()
    print(s.getsockname()[1], flush=True)
    word = b""
    while word != b"end":
        a, address = s.accept()
        word = a.recv(99)
        a.sendall(word.upper() + b" from " + address[0].encode())
        way(a)


def ask(port, uid):
    if uid:
        os.setuid(uid)
    for word in (b"one", b"two"):
        c = socket.create_connection(("127.0.0.1", port))
        c.sendall(word)
        print(c.recv(99), c.getpeername())
        way(c)


def main():
    if len(sys.argv) == 1:
        print("\n".join(cases))
    elif sys.argv[1] == "run":
        exec(sys.argv[2], globals())
    elif sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    elif sys.argv[1] == "ask":
        ask(int(sys.argv[2]), int(sys.argv[3]))
    else:
        cases[sys.argv[1]]()
    sys.stdout.flush()


main()
