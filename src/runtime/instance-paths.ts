// Where the files of an instance are.
import { join } from "node:path";
import type { StateRoot } from "../host/state-root.ts";

/** Every path of an instance. */
export interface InstancePaths {
  readonly directory: string;
  readonly record: string;
  readonly lock: string;
  readonly launch: string;
  readonly ended: string;
  readonly stopAsked: string;
  /** There while somebody who ends many at a time waits for its end, to deal with it: its monitor leaves it to him. */
  readonly endDealt: string;
  /** What it had used when it was killed: see usage/last.ts. */
  readonly lastUsage: string;
  readonly upper: string;
  readonly work: string;
  /** Of an instance whose disk is limited: the file that holds what it writes, and where its launch mounts that. See limits/disk.ts. */
  readonly diskImage: string;
  readonly disk: string;
  readonly run: string;
  readonly oci: string;
  readonly bundle: string;
  readonly files: string;
  /** What redirections are made of: see redirect/layer.ts. */
  readonly redirect: string;
  readonly monitorLog: string;
  /** Made by the monitor when its chain has ended, also where PID 1 never spoke. */
  readonly chainEnded: string;
  readonly runtimeLog: string;
  /** System calls that were refused: a JSON object a line, see native/refusals. */
  readonly refused: string;
  /** Where it came up against its limits: a JSON object a line, see native/breaches. */
  readonly breaches: string;
  /** Records of native/trace, one file a start: see observe.ts. */
  readonly observed: string;
  /** init.bin of the descriptor that counts, where it is another than the one in the layers. */
  readonly plan: string;
  /** There once another instance has shared its network: then more is to be done when it is removed. */
  readonly shared: string;
  /** There while it is paused, and perhaps a moment before and after: see pause.ts. */
  readonly paused: string;
  /** There while what its record says of its networks may not be in force yet: see connect.ts. */
  readonly rewiring: string;
  /** There while new limits of the record may not be in force yet: see update.ts. */
  readonly updating: string;
  /** What was fetched from the source: see tether-log.ts. */
  readonly tethered: string;
  /** Of an instance of the in-process engine: its own copy of the package, the engine that it runs on, its policy.bin and its environment. */
  readonly tree: string;
  readonly engine: string;
  readonly policy: string;
  /** The page of its clock, where it has one of its own. */
  readonly clock: string;
  /** By this its processes see who others are, where one user stands for all. */
  readonly users: string;
  /** Counts the changes of its rules; their tables are beside it. */
  readonly rules: string;
  /** What its rules were made of at this start, beside the record. */
  readonly started: string;
  readonly environment: string;
  /** Of one that is confined: what it may reach, its filter of system calls, and its /dev/shm. */
  readonly reach: string;
  readonly filter: string;
  readonly shm: string;
  /** Its init: "PID STARTTIME". */
  readonly main: string;
  /** What led where, a file a process. */
  readonly led: string;
  /** native/tree, for looking at its files as it sees them. */
  readonly look: string;
  /** Where the tracer asks for what is missing, while it runs. */
  readonly tetherSocket: string;
}

export function instancePaths(root: StateRoot, id: string): InstancePaths {
  return pathsIn(join(root.instances, id));
}

export function pathsIn(directory: string): InstancePaths {
  return {
    directory,
    record: `${directory}/instance.json`,
    lock: `${directory}/lock`,
    launch: `${directory}/launch.json`,
    ended: `${directory}/ended.json`,
    stopAsked: `${directory}/stop-asked`,
    endDealt: `${directory}/end-dealt`,
    lastUsage: `${directory}/last-usage.json`,
    upper: `${directory}/upper`,
    work: `${directory}/work`,
    diskImage: `${directory}/disk.img`,
    disk: `${directory}/disk`,
    run: `${directory}/run`,
    oci: `${directory}/oci`,
    bundle: `${directory}/bundle`,
    files: `${directory}/files`,
    redirect: `${directory}/redirect`,
    monitorLog: `${directory}/monitor.log`,
    chainEnded: `${directory}/chain-ended`,
    runtimeLog: `${directory}/runtime.log`,
    refused: `${directory}/refused.jsonl`,
    breaches: `${directory}/breaches.jsonl`,
    observed: `${directory}/observed`,
    plan: `${directory}/init.bin`,
    shared: `${directory}/shared`,
    paused: `${directory}/paused`,
    rewiring: `${directory}/rewiring`,
    updating: `${directory}/updating`,
    tethered: `${directory}/tethered.jsonl`,
    tree: `${directory}/root`,
    engine: `${directory}/engine`,
    policy: `${directory}/policy.bin`,
    clock: `${directory}/clock`,
    users: `${directory}/users`,
    rules: `${directory}/rules`,
    started: `${directory}/started.json`,
    reach: `${directory}/reach`,
    filter: `${directory}/filter.bpf`,
    shm: `${directory}/shm`,
    environment: `${directory}/environment`,
    main: `${directory}/main`,
    led: `${directory}/led`,
    look: `${directory}/look`,
    tetherSocket: `${directory}/tether.sock`,
  };
}
