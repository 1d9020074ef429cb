// The descriptor of a package, as docs/reference/package.md has it: what an image config cannot say.
// Plain types only, so that hot verbs stay light; the schema that checks a YAML text against them is schema.ts.
// All strings are text. Durations are written as in base/units.ts ("30s"), sizes too ("512MiB").

export interface Descriptor {
  readonly apiVersion: "tranship/v1alpha1";
  readonly kind: "Package";
  readonly metadata: Metadata;
  readonly origin: Origin;
  readonly programs: readonly Program[];
  /** In the order in which they are started, as far as `after` does not ask for another. */
  readonly services: readonly Service[];
  readonly schedules: readonly Schedule[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly Port[];
  readonly volumes: readonly Volume[];
  readonly secrets: readonly Secret[];
  /** Directories that must exist when programs start and that a fresh /run does not have. */
  readonly directories: readonly RuntimeDirectory[];
  readonly identity: Identity;
  readonly elements: Elements;
  readonly redirections: Redirections;
  readonly limits: Limits;
  readonly syscalls: Syscalls;
  /** Without CAP_. null or absent: nobody knows what it needs. */
  readonly capabilities?: readonly string[] | null | undefined;
  readonly hooks: Hooks;
  readonly associations: readonly Association[];
  readonly shortcuts: readonly Shortcut[];
  /** metadata.id of other packages whose redirections are seen. */
  readonly links: readonly string[];
  /** Names of programs that are started outside the package's view. */
  readonly excludes: readonly string[];
}

export interface Metadata {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly publisher: string;
}

export interface Origin {
  readonly os: { readonly id: string; readonly version: string };
  readonly kernel: string;
  /** As GOARCH has it: "amd64", "arm64", "386". */
  readonly architecture: string;
  /** What licences bind to, as found; `identity` says what of it is taken on. */
  readonly identity?: SourceIdentity | undefined;
}

export interface SourceIdentity {
  /** Of the interface of the default route first, as `addresses`. */
  readonly macAddresses: readonly string[];
  readonly addresses: readonly string[];
  /** 32 hexadecimal digits. */
  readonly machineId: string | null;
  /** 8 hexadecimal digits, as the program hostid prints them. */
  readonly hostId: string | null;
  /** By the names of /sys/class/dmi/id. */
  readonly dmi: Readonly<Record<string, string>>;
}

export interface Program {
  readonly name: string;
  /** At least the program itself: a path, or a name that is looked up in PATH. */
  readonly command: readonly string[];
  readonly workingDirectory?: string | undefined;
  /** Name, name:group or uid[:gid] of the package's own /etc/passwd; undefined keeps root. */
  readonly user?: string | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

export interface Service {
  readonly name: string;
  /** Name of a program. */
  readonly program: string;
  /** Default auto. */
  readonly startup?: "auto" | "manual" | "disabled" | undefined;
  /** Whether the deployment of a version starts it; later starts go by `startup`. Default: where that is auto. Never where it is disabled. */
  readonly startOnDeploy?: boolean | undefined;
  /** Its end ends the instance, with its status. Default true. */
  readonly essential?: boolean | undefined;
  /** Names of services that are ready before this one starts. */
  readonly after?: readonly string[] | undefined;
  /** Default simple. */
  readonly type?: "simple" | "forking" | "oneshot" | undefined;
  /** Needed for type forking. */
  readonly pidFile?: string | undefined;
  readonly readiness?: Readiness | undefined;
  readonly restart?: RestartPolicy | undefined;
  readonly stop?: StopPolicy | undefined;
  /** Given to its program, in this order; init opens them before any service starts. */
  readonly sockets?: readonly ServiceSocket[] | undefined;
}

/** A socket that the program does not open itself: what systemd's socket units and inetd do. */
export interface ServiceSocket {
  /** "0.0.0.0:80", "[::]:80" (IPv4 too), "/run/app.sock" or "@abstract". */
  readonly listen: string;
  /** Default stream. seqpacket is for paths and abstract names only. */
  readonly type?: "stream" | "datagram" | "seqpacket" | undefined;
  /** listen (default): from descriptor 3 on, told by LISTEN_FDS; input: as standard input, which has to be its only socket. */
  readonly given?: "listen" | "input" | undefined;
  /** In LISTEN_FDNAMES; default: the service's name. */
  readonly name?: string | undefined;
  /** Of a path: octal, default "0666". */
  readonly mode?: string | undefined;
  /** Of a path, default 0. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Of an IPv6 address: not IPv4 too. */
  readonly ipv6Only?: boolean | undefined;
}

/** At most one of port, file, exec and log; none of them = ready as soon as it runs. */
export interface Readiness {
  /** TCP: something listens there. */
  readonly port?: number | undefined;
  /** Made or changed since the service was started. */
  readonly file?: string | undefined;
  /** Ends with 0; run as the service's user, again and again. */
  readonly exec?: readonly string[] | undefined;
  /** POSIX extended regular expression that fits a line of the output. */
  readonly log?: string | undefined;
  /** Default 30s. */
  readonly timeout?: string | undefined;
}

export interface RestartPolicy {
  readonly policy: "no" | "on-failure" | "always";
  /** Restarts before it is given up; undefined: 5 for on-failure, no end for always. */
  readonly attempts?: number | undefined;
  /** First pause; each further one is twice as long, up to 60 s. Default 1s. */
  readonly backoff?: string | undefined;
}

export interface StopPolicy {
  /** Default SIGTERM. */
  readonly signal?: string | undefined;
  /** From the signal or command to SIGKILL. Default 10s. */
  readonly timeout?: string | undefined;
  /** The service's own way to be stopped, in place of the signal. */
  readonly command?: readonly string[] | undefined;
}

export interface Schedule {
  readonly name: string;
  /** Five fields or @daily and its like, in the application's own clock and time zone. */
  readonly cron: string;
  /** Name of a program. */
  readonly program: string;
}

export interface Port {
  readonly port: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly name?: string | undefined;
}

export interface Volume {
  readonly path: string;
  /** copy: the image's content seeds an empty volume; sync: seeded by a data sync; none: starts empty. */
  readonly initial: "copy" | "none" | "sync";
  readonly reason?: string | undefined;
  /** Of the content at capture; "0" promises nothing. */
  readonly size?: string | undefined;
}

export type Secret = MountedSecret | EnvironmentSecret;

export interface MountedSecret {
  readonly delivery: "mount";
  readonly path: string;
  readonly required: boolean;
  readonly reason?: string | undefined;
}

export interface EnvironmentSecret {
  readonly delivery: "env";
  /** Name of the environment variable. */
  readonly name: string;
  readonly required: boolean;
  readonly reason?: string | undefined;
}

export interface RuntimeDirectory {
  readonly path: string;
  /** Octal: "0755". */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** At each start files, sockets and pipes in it are removed, directories stay: as after a boot. Default false. */
  readonly empty?: boolean | undefined;
}

/** null: as the target has it (macAddress and below are opt-in, leased to one running instance). */
export interface Identity {
  readonly hostname: string | null;
  readonly domain: string | null;
  readonly timezone: string | null;
  readonly locale: string | null;
  readonly macAddress: string | null;
  readonly addresses: readonly string[];
  readonly machineId: string | null;
  readonly hostId: string | null;
  readonly dmi: Readonly<Record<string, string>> | null;
}

export interface Elements {
  readonly clock: ClockElement | null;
  readonly uname: UnameElement | null;
  readonly vsyscall: "auto" | "on" | "off";
  readonly loopback: "kernel" | "fast";
  /** view: in process, an ordinary user stands for all users of the package. */
  readonly users: "kernel" | "view";
}

export interface ClockElement {
  readonly offset?: string | undefined;
  readonly at?: string | undefined;
  readonly rate?: number | undefined;
  readonly frozen?: string | undefined;
}

export interface UnameElement {
  readonly release?: string | undefined;
  readonly version?: string | undefined;
  readonly machine?: string | undefined;
}

export interface Redirections {
  readonly files: readonly FileRedirection[];
  readonly network: readonly NetworkRedirection[];
  /** Windows packages only; kept as read. */
  readonly registry: readonly unknown[];
}

export interface FileRedirection {
  readonly from: string;
  readonly to: string;
  readonly match: "exact" | "folder";
  readonly mode: "full" | "write-copy" | "merged" | "hide" | "read-only";
}

export interface NetworkRedirection {
  readonly kind: "connect" | "name" | "bind";
  readonly from: string;
  readonly to: string;
}

export interface Limits {
  readonly memory: string | null;
  readonly cpus: number | null;
  readonly pids: number | null;
  /** What it writes outside of its volumes. */
  readonly disk: string | null;
  /** A rate such as "10mbit", of each direction. */
  readonly network: string | null;
  /** Lists such as "0-3,8". */
  readonly cpuset?: string | null | undefined;
  /** Weight against others when a disk is busy, 10 to 1000. */
  readonly io?: number | null | undefined;
  /** Open files of each process. */
  readonly files?: number | null | undefined;
}

export interface Syscalls {
  readonly profile: "default" | "learned" | "off";
  /** Learned: names of the calls that the application made. */
  readonly calls?: readonly string[] | undefined;
}

export interface Hooks {
  readonly preInstall: readonly Hook[];
  readonly postInstall: readonly Hook[];
  readonly uninstall: readonly Hook[];
}

/** One of program and command. */
export interface Hook {
  readonly program?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly where: "package" | "host";
  /** Longer than this is a failure; undefined: it is waited for without an end. */
  readonly timeout?: string | undefined;
}

export interface Association {
  readonly program: string;
  readonly extensions: readonly string[];
  readonly mimeType?: string | undefined;
}

export interface Shortcut {
  readonly name: string;
  readonly program: string;
  readonly icon?: string | undefined;
  readonly comment?: string | undefined;
}

/** A descriptor that says nothing yet but what the package is and where it comes from. */
export function newDescriptor(metadata: Metadata, origin: Origin): Descriptor {
  return {
    apiVersion: "tranship/v1alpha1",
    kind: "Package",
    metadata,
    origin,
    programs: [],
    services: [],
    schedules: [],
    environment: {},
    ports: [],
    volumes: [],
    secrets: [],
    directories: [],
    identity: {
      hostname: null,
      domain: null,
      timezone: null,
      locale: null,
      macAddress: null,
      addresses: [],
      machineId: null,
      hostId: null,
      dmi: null,
    },
    elements: { clock: null, uname: null, vsyscall: "auto", loopback: "kernel", users: "kernel" },
    redirections: { files: [], network: [], registry: [] },
    limits: { memory: null, cpus: null, pids: null, disk: null, network: null },
    syscalls: { profile: "default" },
    hooks: { preInstall: [], postInstall: [], uninstall: [] },
    associations: [],
    shortcuts: [],
    links: [],
    excludes: [],
  };
}
