// Hard cases of programs: ways to name and to start things that tracers do not see, or do not survive.
import assert from "node:assert/strict";
import { join } from "node:path";
import type { HardCase } from "../../support/hard-case.ts";

/** Zero bytes in the place of the content, as tools leave that pack names they have not read. */
const emptied = (path: string): string => `mkdir -p $(dirname ${path}); touch ${path}`;
const bytesLost = (path: string): RegExp => new RegExp(`error: /${path} had \\d+ bytes and has 0`);

export const programsCases: readonly HardCase[] = [
  {
    name: "relative",
    title: "relative names by descriptors, threads and chroot",
    machine: (machine) =>
      machine.shell(`mkdir -p srv/rel/by-fd srv/rel/by-thread srv/rel/jail/etc; cd srv/rel; echo at >by-fd/at; echo late >by-fd/late
        echo fchdir >by-fd/fchdir-file; echo thread >by-thread/thread-file; echo up >up; ln -s by-thread link
        echo jailed >jail/etc/in.conf; ln -s /etc/in.conf jail/absolute`),
    doctored: ["by-thread/thread-file", "jail/etc/in.conf", "by-fd/late"].map((name) => ({
      what: `an empty ${name}`,
      layer: emptied(`srv/rel/${name}`),
      says: bytesLost(`srv/rel/${name}`),
    })),
  },
  {
    name: "descriptors",
    title: "openat2, descriptors as names, programs by descriptor and from memory",
    machine: (machine) => {
      machine.shell("mkdir srv/fds; cd srv/fds; echo inside >inside; echo 'by path' >by-path");
      machine.compile("descriptors", "srv/fds/program");
      machine.compile("descriptors", "srv/fds/said");
      machine.compile("descriptors", "srv/fds/from-memory", ["-static"]);
    },
    doctored: ["by-path", "from-memory", "said"].map((name) => ({
      what: `an empty ${name}`,
      layer: `${emptied(`srv/fds/${name}`)}; chmod 755 srv/fds/${name}`,
      says: bytesLost(`srv/fds/${name}`),
    })),
  },
  {
    name: "other-calls",
    title: "a 32-bit program, int 0x80 and the vsyscall page",
    compile: ["-static", "-no-pie"],
    machine: (machine) => {
      machine.shell(
        "mkdir srv/abi; cd srv/abi; echo 'by int 0x80' >by-int80; echo 'by i386' >by-i386; echo after >after",
      );
      machine.compile("other-calls", "srv/abi/small", ["-m32"]);
    },
    doctored: ["by-int80", "by-i386"].map((name) => ({
      what: `an empty ${name}`,
      layer: emptied(`srv/abi/${name}`),
      says: bytesLost(`srv/abi/${name}`),
    })),
  },
  {
    name: "starting",
    title: "threads, posix_spawn, system, vfork and clone3",
    machine: (machine) => {
      machine.shell(`mkdir srv/start; cd srv/start; for i in $(seq 0 15); do echo $i >thread-$i; done; echo x >by-clone3
        printf '#!/bin/sh\\ntrue\\n' >helper; chmod 755 helper`);
    },
    doctored: [
      { what: "an empty file", layer: emptied("srv/start/thread-7"), says: bytesLost("srv/start/thread-7") },
      {
        what: "a program that cannot be run any more",
        layer: "mkdir -p srv/start; cp -p $MACHINE/srv/start/helper srv/start; chmod 644 srv/start/helper",
        says: /error: \/srv\/start\/helper was packed with the mode 0755 and has 0644/,
      },
    ],
  },
  {
    name: "scripts",
    title: "interpreters, a static program, programs found by PATH",
    command: ["/usr/bin/scripts"],
    machine: (machine) => {
      machine.compile("static-program", "usr/local/bin/static-program", ["-static"]);
      machine.shell(`mkdir -p srv/scripts; echo kept >srv/scripts/text; cp $SOURCES/scripts.sh usr/bin/scripts
        printf '#!/usr/bin/env sh\\necho "env found $0"\\n' >usr/local/bin/by-env
        printf '#!/bin/sh -e\\nfalse\\necho "the argument of the interpreter is lost"\\n' >usr/local/bin/with-argument
        printf '#!/srv/scripts/interpreter one\\n' >usr/local/bin/own-interpreter
        chmod 755 usr/bin/scripts usr/local/bin/*`);
      machine.compile("static-program", "srv/scripts/interpreter", ["-static"]);
    },
    doctored: [
      {
        what: "an interpreter that is no program any more",
        layer: `${emptied("srv/scripts/interpreter")}; chmod 755 srv/scripts/interpreter`,
        says: bytesLost("srv/scripts/interpreter"),
      },
      {
        what: "another program that comes first in PATH",
        base: true,
        layer:
          "mkdir -p usr/local/sbin; printf '#!/bin/sh\\necho another\\n' >usr/local/sbin/static-program; chmod 755 usr/local/sbin/*",
        says: /error: \/usr\/local\/sbin\/static-program was looked for and absent/,
      },
    ],
  },
  {
    name: "io-uring",
    title: "a file that io_uring alone opens",
    machine: (machine) => machine.shell("mkdir srv/ring; echo 'by the ring' >srv/ring/only"),
    packed: async ({ fixture, reference }) => {
      const why = await fixture.cli(["why", reference, "/srv/ring/only"]);
      assert.match(why.stdout, /traced: read by .*, seen by the file witness only/);
    },
    doctored: [{ what: "an empty file", layer: emptied("srv/ring/only"), says: bytesLost("srv/ring/only") }],
  },
  {
    name: "inherited",
    title: "descriptors that come from a shell and from inetd",
    command: ["/usr/bin/from-shell"],
    machine: (machine) =>
      machine.shell(`mkdir srv/inherited; cd srv/inherited; echo "from the shell" >input; echo "the fifth" >fifth; echo "the page" >page
        printf '#!/bin/sh\nexec /usr/bin/inherited <"/srv/inherited/input" 5<"/srv/inherited/fifth"\n' >../../usr/bin/from-shell
        chmod 755 ../../usr/bin/from-shell`),
    doctored: ["input", "page"].map((name) => ({
      what: `an empty ${name}`,
      layer: emptied(`srv/inherited/${name}`),
      says: bytesLost(`srv/inherited/${name}`),
    })),
  },
  {
    name: "threads",
    title: "a server with threads for its connections",
    command: ["/usr/bin/threads"],
    machine: (machine) => {
      machine.shell(
        "cp $SOURCES/threads.sh usr/bin/threads; cp /usr/bin/redis-server /usr/bin/redis-cli usr/bin; chmod 755 usr/bin/threads",
      );
      machine.libraries(join(machine.root, "usr/bin/redis-server"));
      machine.libraries(join(machine.root, "usr/bin/redis-cli"));
    },
    doctored: [
      {
        what: "a library that is another file",
        layer:
          "cd $MACHINE; lib=$(find . -name 'libjemalloc.so.2' | head -1); cd - >/dev/null; mkdir -p $(dirname $lib); head -c 5000 /dev/zero >$lib",
        says: /error: \/\S+libjemalloc\.so\.2 had \d+ bytes and has 5000/,
      },
    ],
  },
];
