// Verbs before a package exists: look, judge, capture.
import type { Verb } from "../verb.ts";
import {
  captureOptions,
  formatOption,
  inPlaceOption,
  learnOption,
  reachOptions,
  remoteDryRunOption,
  sessionOptions,
  tracerOption,
} from "./options.ts";

const group = "Lift";

export const captureVerbs: readonly Verb[] = [
  {
    name: "lift",
    group,
    summary:
      "Lift an application off a machine: discover, assess, plan, capture, verify, test against the original",
    description:
      "The main job in one line. Prints each command that it stands for, shows the plan, and asks before it captures.",
    examples: [
      "tranship lift rootfs:/mnt/old --service apache2 --service mariadb --until-port 80 -t shop",
      "tranship lift rootfs:/mnt/old -t shop --exercise ./try.sh -- /opt/shop/bin/server --port 8080",
    ],
    arguments: [
      {
        name: "MACHINE",
        summary: "the source: local:, rootfs:DIR, ssh://[user@]host[:port], disk:FILE or oci:REF",
      },
      { name: "[CMD...]", summary: "the program to lift, after --" },
    ],
    options: [
      ...sessionOptions,
      tracerOption,
      inPlaceOption,
      learnOption,
      { flags: "--installed <NAME>", summary: "lift this installed package", many: true },
      ...captureOptions.filter(
        (option) => !/--machine|--plan|--output|--accept|--add-misses/.test(option.flags),
      ),
      { flags: "--report <FILE>", summary: "where the report of the test goes, as one HTML file" },
    ],
    load: () => import("../capture/lift.ts"),
  },
  {
    name: "discover",
    group,
    summary: "List what is on a machine: programs, services, schedules, sockets, installed packages, users",
    examples: [
      "tranship discover",
      "tranship discover rootfs:/mnt/old --format json",
      "tranship discover ssh://root@old-web",
    ],
    arguments: [
      {
        name: "[MACHINE]",
        summary: "local: (default), rootfs:DIR, ssh://[user@]host[:port], disk:FILE or oci:REF",
      },
    ],
    options: [...reachOptions, remoteDryRunOption, formatOption],
    load: () => import("../capture/discover.ts"),
  },
  {
    name: "assess",
    group,
    summary: "Judge whether an application can be lifted; exit status 3 when something blocks it",
    examples: [
      "tranship assess rootfs:/mnt/old",
      "tranship assess rootfs:/mnt/old --report assessment.html",
      "tranship assess shop",
    ],
    arguments: [
      {
        name: "[MACHINE or REF]",
        summary:
          "local: (default), rootfs:DIR, ssh://[user@]host[:port], disk:FILE, oci:REF or a package of the store",
      },
    ],
    options: [
      { flags: "--report <FILE>", summary: "write one self-contained HTML file" },
      ...reachOptions,
      remoteDryRunOption,
      formatOption,
    ],
    load: () => import("../capture/assess.ts"),
  },
  {
    name: "capture run",
    group,
    summary: "Start services or a command under the tracer, on an overlay, and package what they used",
    description:
      "Ends when CMD ends; or, with --until-port and --exercise, when all ports are open, the exercise has ended and --linger has passed. " +
      "The source is not changed: what the application writes goes to an overlay and is thrown away.",
    examples: [
      "tranship capture run -m rootfs:/mnt/old -t shop --service apache2 --until-port 80 --exercise ./try.sh",
      "tranship capture run -t hello -- /usr/bin/python3 -c 'print(1)'",
    ],
    arguments: [{ name: "[CMD...]", summary: "the command, after --" }],
    options: [...sessionOptions, tracerOption, inPlaceOption, learnOption, ...captureOptions],
    passThrough: true,
    load: () => import("../capture/capture-run.ts"),
  },
  {
    name: "capture process",
    group,
    summary: "Package a running program without stopping it",
    description:
      "Reads what the program and its workers map, hold open, stand in and name, and what /proc tells of user, variables and sockets. Files that " +
      "were deleted or replaced while it runs are recovered. For the time of --for it is " +
      "watched which files it uses. It is neither stopped nor traced.",
    examples: [
      "tranship capture process -t shop --listening 80",
      "tranship capture process -t shop --pid 4711 --plan-only -o plan.yaml",
    ],
    arguments: [],
    options: [
      { flags: "--pid <PID>", summary: "the program that this process belongs to" },
      { flags: "--service <NAME>", summary: "the program of this service of the machine" },
      { flags: "--listening <PORT>", summary: "the program that listens on this port" },
      {
        flags: "--for <DURATION>",
        summary: "how long to watch which files it uses, beside the snapshot (30s); 0s: the snapshot alone",
      },
      {
        flags: "--restart",
        summary: "also start it once more under the tracer, on overlays; the running one is left alone",
      },
      {
        flags: "--exercise <SCRIPT>",
        summary: "with --restart: an executable that is run inside, beside the second one",
      },
      {
        flags: "--data <FROM>",
        summary: "what is taken of its data: copy, empty, snapshot:DIR or snapshot:PATH=DIR,...",
        default: "copy",
      },
      ...captureOptions,
    ],
    load: () => import("../capture/capture-process.ts"),
  },
  {
    name: "capture installed",
    group,
    summary: "Package what the installed-package database says belongs to these installed packages",
    examples: ["tranship capture installed -m rootfs:/mnt/old -t shop apache2 mariadb-server-10.5"],
    arguments: [{ name: "[NAME...]", summary: "installed packages" }],
    options: [
      { flags: "--service <NAME>", summary: "a service of the package", many: true },
      ...captureOptions,
    ],
    load: () => import("../capture/capture-installed.ts"),
  },
  {
    name: "capture install",
    group,
    summary: "Run an installer on overlays over a machine, and package what it changed with what that needs",
    description:
      "The machine is compared before and after: content, owners, modes, attributes, links, removals. It is not changed itself. Services and programs " +
      "that the installer brought become those of the package. An installer that fails gives no package.",
    examples: [
      "tranship capture install -m rootfs:/mnt/old -t shop --with ./shop_1.2_amd64.deb -- dpkg -i shop_1.2_amd64.deb",
      "tranship capture install -m rootfs:/mnt/old -t shop --with ./shop-1.2 --cmd /opt/shop/bin/server -- sh -c 'cd shop-1.2 && make install'",
    ],
    arguments: [{ name: "[INSTALLER...]", summary: "the installer with its arguments, after --" }],
    options: [
      {
        flags: "--with <PATH>",
        summary: "a file or directory of this host that the installer finds in the directory it starts in",
        many: true,
      },
      {
        flags: "--network <MODE>",
        summary: "own: only loopback; host: the host's",
        choices: ["own", "host"],
        default: "own",
      },
      { flags: "--service <NAME>", summary: "a service of the package, instead of those found", many: true },
      ...captureOptions.filter((option) => !/--accept-changes/.test(option.flags)),
    ],
    passThrough: true,
    load: () => import("../capture/capture-install.ts"),
  },
  {
    name: "capture machine",
    group,
    summary:
      "Package everything above the kernel, whole, or trimmed to what another capture's evidence names",
    description:
      "Nothing is run. Left out, each with its reason in the plan: kernel, boot and firmware, caches, swap, the content of logs and temporary " +
      "directories, package lists, hardware configuration, sockets.",
    examples: [
      "tranship capture machine -m rootfs:/mnt/old -t shop --service apache2 --service mariadb",
      "tranship capture machine -m rootfs:/mnt/old -t small --service apache2 --trim shop",
    ],
    arguments: [{ name: "[CMD...]", summary: "the command of the package's main program, after --" }],
    options: [
      {
        flags: "--service <NAME>",
        summary: "a service that the package runs; more than one in their order",
        many: true,
      },
      {
        flags: "--trim <REF>",
        summary: "keep only what the evidence of this package names, and show what falls away",
      },
      ...captureOptions.filter((option) => !/--also|--no-closure|--add-misses/.test(option.flags)),
    ],
    passThrough: true,
    load: () => import("../capture/capture-machine.ts"),
  },
  {
    name: "plan show",
    group,
    summary:
      "Summarise a plan: groups with counts and bytes, largest files, secrets, what was never exercised",
    examples: ["tranship plan show plan.yaml"],
    arguments: [{ name: "FILE", summary: "a plan made with --plan-only" }],
    options: [formatOption],
    load: () => import("../capture/plan-show.ts"),
  },
  {
    name: "plan diff",
    group,
    summary: "Compare two plans: groups, files, layers, bytes, descriptor; exit status 4 when they differ",
    examples: [
      "tranship plan diff monday.yaml friday.yaml",
      "tranship plan diff a.yaml b.yaml --format json",
    ],
    arguments: [
      { name: "FILE", summary: "a plan made with --plan-only" },
      { name: "OTHER", summary: "the plan that it is compared with" },
    ],
    options: [formatOption],
    load: () => import("../capture/plan-diff.ts"),
  },
  {
    name: "why",
    group,
    summary: "Tell why a path is in a package, or why it was left out; exit status 4 when it is not in it",
    description:
      "Where a redirection of the package decides for the path, it is told first, and the evidence is that of the file that is meant.",
    examples: ["tranship why shop /usr/lib/x86_64-linux-gnu/libssl.so.1.1"],
    arguments: [
      { name: "REF", summary: "a package" },
      { name: "PATH", summary: "a path inside it" },
    ],
    options: [formatOption],
    load: () => import("../capture/why.ts"),
  },
  {
    name: "test",
    group,
    summary:
      "Start a package alone and probe it; with --against, run the same exercise on the original and compare",
    examples: [
      "tranship test shop",
      "tranship test shop --against rootfs:/mnt/old --exercise ./try.sh --report parity.html",
    ],
    arguments: [{ name: "REF", summary: "a package" }],
    options: [
      { flags: "--against <MACHINE>", summary: "the original" },
      ...reachOptions,
      ...sessionOptions.filter((option) => /--exercise|--until-port|--timeout/.test(option.flags)),
      { flags: "--mask <REGEX>", summary: "text that may differ: times, ids", many: true },
      {
        flags: "--secret <PATH=FILE>",
        summary: "a secret of the package; with --against it is taken from the original",
        many: true,
      },
      { flags: "--report <FILE>", summary: "write one self-contained HTML file" },
      formatOption,
    ],
    load: () => import("../capture/test.ts"),
  },
];
