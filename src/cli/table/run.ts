// `run` apart from the other verbs of instances: its own file of the built form holds no other (hot-run.ts).
import type { OptionSpec, Verb } from "../verb.ts";
import { fixedLimitOptions, limitOptions } from "./limits.ts";
import { clockOptions, reachOptions, ruleOptions } from "./options.ts";

/** The group of all of them. */
export const instances = "Instances";

export const createOptions: readonly OptionSpec[] = [
  { flags: "--name <NAME>", summary: "the instance's name" },
  {
    flags: "--pull <WHEN>",
    summary: "fetch the package first: always, missing (where it is not here) or never",
    default: "never",
    choices: ["always", "missing", "never"],
  },
  { flags: "-i, --interactive", summary: "keep standard input open" },
  { flags: "-t, --tty", summary: "give it a terminal" },
  { flags: "-p, --publish <PORT>", summary: "[IP:]HOSTPORT:PORT[/PROTO]", many: true },
  { flags: "-P, --publish-all", summary: "publish every port of the package on a random port of the host" },
  { flags: "--expose <PORT>", summary: "PORT[-PORT][/PROTO]: a port that -P publishes too", many: true },
  { flags: "-v, --volume <VOLUME>", summary: "DIR:PATH[:ro] or NAME:PATH", many: true },
  {
    flags: "--mount <MOUNT>",
    summary:
      "type=bind,source=/DIR,target=/PATH, type=volume,source=NAME,target=/PATH or type=tmpfs,target=/PATH, with readonly where it is only read",
    many: true,
  },
  {
    flags: "--volumes-from <INSTANCE>",
    summary: "INSTANCE[:ro]: what that instance has mounted, at the same places",
    many: true,
  },
  {
    flags: "--tmpfs <PATH>",
    summary: "PATH[:size=SIZE,mode=MODE,exec,ro]: files that are in memory and go at its end",
    many: true,
  },
  {
    flags: "-e, --env <NAME=VALUE>",
    summary: "a variable; without =VALUE it is taken from here",
    many: true,
  },
  { flags: "--env-file <FILE>", summary: "variables, one a line", many: true },
  { flags: "-w, --workdir <DIR>", summary: "where the command starts" },
  { flags: "-u, --user <USER>", summary: "name or uid[:gid] that runs the command" },
  { flags: "--hostname <NAME>", summary: "host name" },
  { flags: "--domainname <NAME>", summary: "domain name" },
  { flags: "--mac-address <MAC>", summary: "MAC address of eth0" },
  { flags: "--ip <ADDRESS>", summary: "IPv4 address on its first network" },
  { flags: "--ip6 <ADDRESS>", summary: "IPv6 address on its first network" },
  { flags: "--network-alias <NAME>", summary: "a further name on its first network", many: true },
  {
    flags: "--add-host <NAME:ADDRESS>",
    summary: "a line of /etc/hosts; NAME:host-gateway is this host",
    many: true,
  },
  { flags: "--dns <ADDRESS>", summary: "a name server, in place of the host's", many: true },
  { flags: "--dns-search <DOMAIN>", summary: "a domain to search, in place of the host's", many: true },
  { flags: "--dns-option <OPTION>", summary: "an option of its resolver, such as ndots:1", many: true },
  { flags: "--dns-opt <OPTION>", summary: "the same, as in docker", many: true },
  { flags: "--machine-id <ID>", summary: "/etc/machine-id: 32 hexadecimal digits" },
  { flags: "--hostid <ID>", summary: "what gethostid() gives: 8 hexadecimal digits" },
  { flags: "--dmi <NAME=VALUE>", summary: "a file of /sys/class/dmi/id", many: true },
  {
    flags: "--keep-identity <KINDS>",
    summary: "take on what licences bind to: all, or some of mac,address,machine-id,hostid,dmi of the source",
    many: true,
  },
  { flags: "--new-identity", summary: "ids and addresses of its own, whatever the package takes on" },
  ...clockOptions,
  { flags: "--uname-release <RELEASE>", summary: "the release of the kernel that uname tells" },
  ...limitOptions,
  ...fixedLimitOptions,
  { flags: "--read-only", summary: "the root file system cannot be written" },
  {
    flags: "--network <NETWORK>",
    summary: "bridge (default), host, none, container:INSTANCE or networks of yours",
    many: true,
  },
  { flags: "--net <NETWORK>", summary: "the same, as in docker", many: true },
  {
    flags: "--sysctl <NAME=VALUE>",
    summary:
      "a setting of its network, messages, semaphores or shared memory (net.*, kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.*)",
    many: true,
  },
  { flags: "--init", summary: "as in docker; every instance has an init anyway" },
  { flags: "--restart <POLICY>", summary: "no, on-failure[:N], always or unless-stopped", default: "no" },
  { flags: "--entrypoint <CMD>", summary: "run this instead of the package's init" },
  { flags: "--cap-add <NAME>", summary: "add a capability", many: true },
  { flags: "--cap-drop <NAME>", summary: "drop a capability", many: true },
  {
    flags: "--userns <WORD>",
    summary:
      "whose ids its users are: host (default: this host's), auto (a range of its own), auto:size=COUNT or FIRST:COUNT",
  },
  {
    flags: "--device <DEVICE>",
    summary: "HOSTDEVICE[:PATH][:rwm]: a device of this host, or all in a directory",
    many: true,
  },
  {
    flags: "--group-add <GROUP>",
    summary: "a further group of its command: a name of the package or a number",
    many: true,
  },
  {
    flags: "--security-opt <OPTION>",
    summary:
      "no-new-privileges, seccomp=unconfined (as --syscalls off) or seccomp=FILE, a profile in docker's format",
    many: true,
  },
  { flags: "--privileged", summary: "refused: it would make the instance the host" },
  { flags: "--log-opt <KEY=VALUE>", summary: "max-size=SIZE (before rotation), max-file=NUMBER", many: true },
  {
    flags: "--syscalls <PROFILE>",
    summary: "which system calls are allowed: default, learned (those that the capture saw) or off (all)",
  },
  {
    flags: "--health-cmd <CMD>",
    summary: "a command that ends with 0 where the instance is well; none: no check",
  },
  { flags: "--health-interval <TIME>", summary: "from one check to the next (default 30s)" },
  { flags: "--health-timeout <TIME>", summary: "how long a check may take (default 30s)" },
  { flags: "--health-retries <N>", summary: "so many failures in a row make it unhealthy (default 3)" },
  { flags: "--health-start-period <TIME>", summary: "how long failures do not count (default 0s)" },
  { flags: "--health-start-interval <TIME>", summary: "from check to check in that time (default 5s)" },
  { flags: "--health-on-failure <ACTION>", summary: "when it is unhealthy: none (default), kill or stop" },
  { flags: "--no-healthcheck", summary: "no check, whatever the package says" },
  { flags: "-l, --label <KEY=VALUE>", summary: "a label", many: true },
  { flags: "--label-file <FILE>", summary: "labels, one a line", many: true },
  { flags: "--cidfile <FILE>", summary: "write the id to a file that is not there yet" },
  { flags: "--descriptor <FILE>", summary: "a descriptor (YAML) in place of the package's own" },
  {
    flags: "--linked <REF>",
    summary:
      "the package to take for its id, where the descriptor links to that; else the one of the store that has it",
    many: true,
  },
  {
    flags: "--service <NAME>",
    summary: "start this manual service too, and those that it comes after",
    many: true,
  },
  ...ruleOptions,
  {
    flags: "--allow-host <PATH>",
    summary: "what of the host redirections may show, with all below it",
    many: true,
  },
  {
    flags: "--secret <PATH=FILE>",
    summary: "a secret of the package; ,uid=N,gid=N,mode=OCTAL after it",
    many: true,
  },
  { flags: "--stop-signal <SIGNAL>", summary: "what stops it" },
  { flags: "--stop-timeout <SECONDS>", summary: "from the stop signal to SIGKILL" },
];

export const imageAndCommand = [
  { name: "REF", summary: "a package" },
  { name: "[CMD...]", summary: "nothing: all its services; @NAME [ARGS]: that program; else this command" },
];

export const removedAtEnd = { flags: "--rm", summary: "remove the instance when it ends" };

export const runVerb: Verb = {
  name: "run",
  group: instances,
  summary: "Make an instance of a package and start it",
  description:
    "The exit status is the program's own; 125 when Tranship failed, 126 and 127 when the command cannot be run or found.",
  examples: [
    "tranship run -d --name shop -p 8080:80 shop",
    "tranship run --rm -it shop /bin/sh",
    "tranship run --rm shop @rotate",
    "tranship run --rm --engine inprocess shop /bin/sh -c 'date; uname -a'",
  ],
  arguments: imageAndCommand,
  options: [
    ...createOptions,
    { flags: "-d, --detach", summary: "in the background; prints the id" },
    {
      flags: "--engine <ENGINE>",
      summary:
        "namespace (default); inprocess: without namespaces, a redirection and no boundary; auto: inprocess where the host forbids namespaces",
      choices: ["namespace", "inprocess", "auto"],
    },
    {
      flags: "--users <USERS>",
      summary:
        "in process, as an ordinary user: kernel: all programs are that user's; view: they see root and the package's users (experimental)",
      choices: ["kernel", "view"],
    },
    {
      flags: "--confine",
      summary:
        "in process: let the kernel hold it to its own files and to harmless calls, by Landlock and seccomp",
    },
    {
      flags: "--log-redirections",
      summary: "in process: write down what leads where; see `logs --redirections`",
    },
    removedAtEnd,
    { flags: "--observe", summary: "watch for files that it looks for and the package lacks; see `misses`" },
    {
      flags: "--tether <MACHINE>",
      summary: "fetch files that it looks for and the package lacks from the living source; see `misses`",
    },
    ...reachOptions,
  ],
  passThrough: true,
  load: () => import("../instances/run.ts"),
};
