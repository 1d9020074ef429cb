// Programs that run while they are captured: a small old machine in a chroot, with a server made for the test, or real servers of
// this host with configuration of their own.
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Fixture } from "../integration/runtime-fixture.ts";
import { makeSmallRoot } from "./small-root.ts";

/** Answers each connection with what its library says and what its open file holds, and counts how long its loop ever paused. */
const serverSource = `
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
const char *greeting(void);
static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}
static int listen_on(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		exit(8);
	return fd;
}
int main(int argc, char **argv)
{
	int port = atoi(argv[1]), words = argc > 2 ? open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
	const char *pidfile = argc > 3 ? argv[3] : NULL;
	const char *listen_fds = getenv("LISTEN_FDS");
	long gap = 0, last;
	int fd;
	if (pidfile) {
		if (fork())
			return 0;
		setsid();
		if (fork())
			return 0;
		if (chdir("/") < 0)
			return 7;
		if (strcmp(pidfile, "-")) {
			FILE *f = fopen(pidfile, "w");
			fprintf(f, "%d\\n", getpid());
			fclose(f);
		}
	}
	fd = listen_fds ? 3 : port ? listen_on(port) : 0;
	for (last = now();;) {
		struct pollfd p = { fd, POLLIN, 0 };
		char text[256] = "", reply[600];
		long t;
		int c, n = poll(&p, 1, 1);
		t = now();
		if (t - last > gap)
			gap = t - last;
		last = t;
		if (n <= 0)
			continue;
		c = accept(fd, NULL, NULL);
		if (words >= 0)
			n = pread(words, text, sizeof(text) - 1, 0);
		n = snprintf(reply, sizeof(reply), "%s; %s; token %s; gap %ld\\n", greeting(), text,
			     getenv("APP_TOKEN") ? getenv("APP_TOKEN") : "none", gap);
		if (write(c, reply, n) != n)
			return 6;
		close(c);
	}
}
`;

export const missingForServer = (): string | undefined => {
  for (const tool of ["/usr/bin/gcc", "/usr/bin/ldd", "/usr/sbin/chroot", "/usr/bin/nsenter"]) {
    try {
      realpathSync(tool);
    } catch {
      return `needs ${tool}`;
    }
  }
  return undefined;
};

/** A small machine at `root` with /opt/app: server, libgreet.so and words.txt. */
export function makeServerMachine(root: string): void {
  makeSmallRoot(root);
  mkdirSync(join(root, "opt/app"), { recursive: true });
  makeLibrary(root, "first");
  const cc = [
    "-O1",
    "-x",
    "c",
    "-o",
    join(root, "opt/app/server"),
    "-",
    "-x",
    "none",
    join(root, "opt/app/libgreet.so"),
  ];
  execFileSync("gcc", [...cc, "-Wl,-rpath,/opt/app"], { input: serverSource });
  writeFileSync(join(root, "opt/app/words.txt"), "old words");
  addLibraries(root, join(root, "opt/app/server"));
}

/** Dynamic programs of this host with their libraries. */
export function addPrograms(root: string, programs: readonly string[]): void {
  for (const program of programs) {
    mkdirSync(dirname(join(root, program)), { recursive: true });
    cpSync(realpathSync(program), join(root, program));
    addLibraries(root, program);
  }
}

function addLibraries(root: string, program: string): void {
  const listed = execFileSync("ldd", [program], { encoding: "latin1" });
  for (const [library] of listed.matchAll(/\/(usr\/)?lib\S+/g)) {
    mkdirSync(dirname(join(root, library)), { recursive: true });
    cpSync(realpathSync(library), join(root, library));
  }
}

/** Puts another version in the place of the library, as a package manager does: beside it, then renamed. */
export function makeLibrary(root: string, version: string): void {
  const path = join(root, "opt/app/libgreet.so");
  execFileSync("gcc", ["-shared", "-fPIC", "-x", "c", "-Wl,-soname,libgreet.so", "-o", `${path}.new`, "-"], {
    input: `const char *greeting(void) { return "${version} library"; }\n`,
  });
  copyFileSync(`${path}.new`, `${path}.newer`);
  execFileSync("mv", [`${path}.newer`, path]);
  rmSync(`${path}.new`);
}

export interface Started {
  pid: number;
  ended: Promise<void>;
  /** SIGTERM. */
  terminate(): void;
  /** SIGKILL, and waits. */
  stop(): Promise<void>;
}

/** Starts a command in the fixture's namespaces: its pid is that of the command itself. */
export function startInside(
  fixture: Fixture,
  command: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Started {
  const [program = "", ...words] = [...fixture.enter, ...command];
  const child = spawn(program, words, {
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    stdio: "ignore",
    cwd: "/",
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    pid: child.pid ?? 0,
    ended,
    terminate: () => void child.kill("SIGTERM"),
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** What a port says at once; "" where nobody listens. */
export async function said(fixture: Fixture, port: number): Promise<string> {
  const asked = await fixture.inside(["bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`]);
  return asked.stdout.trim();
}

export function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // it has gone
}

/** Of /proc/PID/status. */
export function statusField(pid: number, field: string): string {
  const text = readFileSync(`/proc/${pid}/status`, "latin1");
  return new RegExp(`^${field}:\\s*(\\S+)`, "m").exec(text)?.[1] ?? "";
}
