// Option groups that several verbs share, so that a flag means the same everywhere.
import type { OptionSpec } from "../verb.ts";

export const machineOption: OptionSpec = {
  flags: "-m, --machine <MACHINE>",
  summary: "the source: local:, rootfs:DIR, ssh://[user@]host[:port], disk:FILE or oci:REF",
  default: "local:",
};

/** How a far machine is read. */
export const reachOptions: readonly OptionSpec[] = [
  {
    flags: "--ssh-option <KEY=VALUE>",
    summary:
      "an option of ssh_config(5) for ssh:// machines, such as an old algorithm (also TRANSHIP_SSH_OPTIONS)",
    many: true,
  },
  { flags: "--no-push", summary: "put no collector on an ssh:// machine: read it by its own programs" },
  { flags: "--partition <N>", summary: "of a disk:FILE machine; by default the one that holds a system" },
  { flags: "--sudo", summary: "read an ssh:// machine as root, by sudo without a password" },
];

/** For verbs that change nothing here: what they would do on a far machine. */
export const remoteDryRunOption: OptionSpec = {
  flags: "--dry-run",
  summary:
    "ssh:// machines: print every command that would run there and what would be read, and connect to nothing",
};

export const formatOption: OptionSpec = {
  flags: "--format <FORMAT>",
  summary: "table, json or a template such as '{{.Name}}'",
};

/** Docker's short form, where -f is no filter. */
export const inspectFormatOption: OptionSpec = { ...formatOption, flags: "-f, --format <FORMAT>" };

export const listingOptions: readonly OptionSpec[] = [
  formatOption,
  { flags: "-q, --quiet", summary: "only ids" },
  { flags: "--no-trunc", summary: "do not shorten" },
  { flags: "-f, --filter <KEY=VALUE>", summary: "only what fits", many: true },
];

export const dryRunOption: OptionSpec = {
  flags: "--dry-run",
  summary: "say what would be done and change nothing",
};

/** How a program is started, watched and stopped while it is captured or tested. */
export const sessionOptions: readonly OptionSpec[] = [
  {
    flags: "--service <NAME>",
    summary: "start this service of the machine; more than one in their order",
    many: true,
  },
  { flags: "--until-port <PORT>", summary: "wait until all of these ports are open", many: true },
  {
    flags: "--exercise <SCRIPT>",
    summary: "an executable that is run inside, beside the application; its exit status counts",
  },
  {
    flags: "--linger <DURATION>",
    summary: "how long to go on watching after ports and exercise",
    default: "2s",
  },
  {
    flags: "--timeout <DURATION>",
    summary: "how long to wait for the start and the ports",
    default: "120s",
  },
  { flags: "--for <DURATION>", summary: "watch for this long instead of waiting for ports or an exercise" },
  {
    flags: "--network <MODE>",
    summary: "own: only loopback; host: the host's",
    choices: ["own", "host"],
    default: "own",
  },
  {
    flags: "--data <FROM>",
    summary: "what data directories start from: copy, empty, snapshot:DIR or snapshot:PATH=DIR,...",
    default: "copy",
  },
  { flags: "--no-witness", summary: "watch by the tracer alone, without the file witness beside it" },
];

export const tracerOption: OptionSpec = {
  flags: "--tracer <MODE>",
  summary:
    "how it is watched: auto, seccomp (the surest), notify (faster, newer kernels), plain (any kernel)",
  choices: ["auto", "seccomp", "notify", "plain"],
  default: "auto",
};

export const inPlaceOption: OptionSpec = {
  flags: "--in-place",
  summary:
    "ssh:// machines, and only where their owner agrees: run it on the machine itself, on its own files, instead of on a staged copy here",
};

export const learnOption: OptionSpec = {
  flags: "--learn-syscalls",
  summary: "record every system call, so that instances are held to these; each call stops: slow",
};

/** What every kind of capture takes. */
export const captureOptions: readonly OptionSpec[] = [
  { flags: "-t, --tag <REF>", summary: "the package that is made" },
  machineOption,
  ...reachOptions,
  {
    flags: "--also <KIND:ARG>",
    summary: "more evidence: installed:NAME, include:PATTERN, plan:FILE (of another run)",
    many: true,
  },
  {
    flags: "--add-misses <INSTANCE>",
    summary:
      "take in what this observed instance (or the file that `misses --format json` wrote) looked for in vain",
    many: true,
  },
  { flags: "--plan-only", summary: "make the plan, print it (or write it to --output), and stop" },
  { flags: "-o, --output <FILE>", summary: "where --plan-only writes the plan" },
  { flags: "--plan <FILE>", summary: "carry out this plan; nothing is run" },
  {
    flags: "--accept-changes",
    summary: "with --plan: pack what is there now where it changed since, and say so",
  },
  {
    flags: "--allow-unmet",
    summary: "pack although programs of the package need what the plan leaves out",
  },
  {
    flags: "--include <PATTERN>",
    summary: "take these paths in, and keep them from rules that come later; patterns as in rsync",
    many: true,
    sequence: "filters",
  },
  {
    flags: "--exclude <PATTERN>",
    summary: "leave these paths out; the first rule that fits decides",
    many: true,
    sequence: "filters",
  },
  {
    flags: "--filter-from <FILE>",
    summary: "rules, one a line: + PATTERN keeps, - PATTERN leaves out",
    many: true,
    sequence: "filters",
  },
  { flags: "--volume <PATH>", summary: "data that outlives an instance", many: true },
  {
    flags: "--keep-secret <PATH>",
    summary: "pack this secret file; by default secrets are listed and left out",
    many: true,
  },
  {
    flags: "--keep-identity <KINDS>",
    summary: "take on what licences bind to: all, or some of mac,address,machine-id,hostid,dmi",
    many: true,
  },
  { flags: "--no-closure", summary: "only what was seen, without what it needs beyond that" },
  { flags: "--cmd <CMD>", summary: "the command line of the package's main program" },
  { flags: "--env <NAME=VALUE>", summary: "a variable of the package's environment", many: true },
  { flags: "--port <PORT>", summary: "a port that the package serves", many: true },
  { flags: "--user <USER>", summary: "who runs the main program" },
  { flags: "--workdir <DIR>", summary: "where the main program starts" },
  {
    flags: "--dry-run",
    summary:
      "make the plan, show it in short, and pack nothing; ssh:// machines: only print what would run there",
  },
  formatOption,
];

export const clockOptions: readonly OptionSpec[] = [
  {
    flags: "--clock <CHANGE>",
    summary: "the application's wall clock: +DURATION, -DURATION, or @TIME from which it goes on",
  },
  { flags: "--clock-rate <NUMBER>", summary: "how fast that clock runs; 0: it stands at --clock @TIME" },
];

/** Redirections from the command line. */
export const ruleOptions: readonly OptionSpec[] = [
  {
    flags: "--connect <IP:PORT=IP:PORT>",
    summary: "what programs ask for at the first address leads to the second",
    many: true,
  },
  {
    flags: "--redirect <RULE>",
    summary:
      "FROM=TO[:MODE]: whoever asks for FROM gets TO of the package; mode full, write-copy, merged, read-only, or FROM=:hide",
    many: true,
  },
];
