// Hard cases of state: what a run changes, makes and removes, and what it needs empty, special or oddly named.
import type { HardCase } from "../../support/hard-case.ts";

export const stateCases: readonly HardCase[] = [
  {
    name: "nodes",
    title: "a fifo, devices in a jail, a socket left behind",
    machine: (machine) =>
      machine.shell(`mkdir -p srv/nodes/run srv/nodes/jail/dev; cd srv/nodes; mkfifo fifo; chown 0:55 fifo; chmod 620 fifo
        mknod jail/dev/null c 1 3; mknod jail/dev/zero c 1 5; chmod 666 jail/dev/*
        python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("run/socket")'`),
    doctored: [
      {
        what: "a device that became a file",
        layer:
          "mkdir -p srv/nodes/jail/dev; touch srv/nodes/jail/dev/null; chmod 666 srv/nodes/jail/dev/null",
        says: /error: \/srv\/nodes\/jail\/dev\/null was packed as a character and is a file/,
      },
      {
        what: "another device",
        layer: "mkdir -p srv/nodes/jail/dev; mknod -m 666 srv/nodes/jail/dev/zero c 1 7",
        says: /error: \/srv\/nodes\/jail\/dev\/zero was the device 1:5 and is 1:7/,
      },
      {
        what: "a device that reaches hardware",
        layer: "mkdir -p srv/nodes/jail/dev; mknod srv/nodes/jail/dev/zero b 8 0",
        says: /error: \/srv\/nodes\/jail\/dev\/zero is the device b 8:0, which is not declared/,
      },
      {
        what: "a lost fifo",
        layer: "mkdir -p srv/nodes; touch srv/nodes/.wh.fifo",
        says: /error: \/srv\/nodes\/fifo was packed and is gone/,
      },
    ],
  },
  {
    name: "empty-directories",
    title: "empty directories with owners",
    machine: (machine) =>
      machine.shell(`mkdir -p var/spool/hard/queue var/log/hard run/hard; chown 33:33 var/spool/hard/queue run/hard; chmod 750 var/spool/hard/queue
        chown 0:33 var/log/hard; chmod 2770 var/log/hard`),
    doctored: [
      {
        what: "a directory that belongs to somebody else",
        layer: "mkdir -p var/log/hard; chmod 2770 var/log/hard",
        says: /error: \/var\/log\/hard belonged to 0:33 and belongs to 0:0/,
      },
      {
        what: "a directory that was dropped because it is empty",
        layer: "mkdir -p var/spool/hard; touch var/spool/hard/.wh.queue",
        says: /error: \/var\/spool\/hard\/queue was packed and is gone/,
      },
    ],
  },
  {
    name: "state",
    title: "files that the run truncates, removes, replaces and makes",
    machine: (machine) =>
      machine.shell(`mkdir -p srv/state/tree; cd srv/state; echo 41 >counter; echo "only once" >once; echo leaf >tree/leaf
        echo old >../../etc/hard/replaced.conf`),
    doctored: [
      {
        what: "the state after the run",
        layer: "mkdir -p srv/state; echo 42 >srv/state/counter",
        says: /error: \/srv\/state\/counter has other content than when it was packed/,
      },
      {
        what: "a file that the run had made",
        layer: "mkdir -p etc/hard; echo mine >etc/hard/replaced.conf.new; touch etc/hard/.wh.replaced.conf",
        says: /error: \/etc\/hard\/replaced.conf was packed and is gone/,
      },
    ],
  },
  {
    name: "odd-names",
    title: "names that are no text, and a path of 4,000 bytes",
    machine: (machine) =>
      machine.shell(`mkdir srv/odd; cd srv/odd; echo newline >$'new\\nline'; echo spaces >'two  spaces '; echo bytes >$'\\xff\\xfe'
        echo backslash >'back\\slash'; echo reversed >$'\\xe2\\x80\\xaefdp.exe'; echo flags >'-rf *'
        long=$(printf 'd%.0s' {1..99}); for i in $(seq 40); do mkdir $long; cd $long; done; echo leaf >leaf`),
    doctored: [
      {
        what: "a name that was made to text",
        layer: "mkdir -p srv/odd; touch srv/odd/.wh.$'\\xff\\xfe'; echo bytes >srv/odd/$'\\xef\\xbf\\xbd'",
        says: /error: \/srv\/odd\/\\xff\\xfe was packed and is gone/,
      },
      {
        what: "a name that was cut at its newline",
        layer: "mkdir -p srv/odd; touch $'srv/odd/.wh.new\\nline'; echo newline >srv/odd/new",
        says: /error: \/srv\/odd\/new\\x0aline was packed and is gone/,
      },
    ],
  },
];
