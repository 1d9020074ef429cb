// The compiled descriptor that /.tranship/init executes: everything looked up, ordered and defaulted beforehand, so that
// PID 1 only has to carry it out. Binary form: docs/internals/init-bin.md; C side: native/init/plan.c.
import type { CronTimes } from "./cron.ts";

export { decodeInitPlan, encodeInitPlan } from "./init-codec.ts";
export { compileInitPlan } from "./init-compile.ts";

/** Order is kept, a later entry of the same name wins. */
export type Variables = ReadonlyArray<readonly [name: string, value: string]>;

export interface InitPlan {
  readonly log: { readonly maxSize: number; readonly maxFiles: number };
  readonly environment: Variables;
  readonly directories: readonly PlannedDirectory[];
  readonly volumes: readonly PlannedVolume[];
  readonly secrets: readonly PlannedSecret[];
  readonly programs: readonly PlannedProgram[];
  /** In starting order: `after` names earlier ones only. */
  readonly services: readonly PlannedService[];
  readonly schedules: readonly PlannedSchedule[];
  /** Of one service in the order in which it gets them. */
  readonly sockets: readonly PlannedSocket[];
}

export interface PlannedDirectory {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Emptied of all but directories before anything starts. */
  readonly empty: boolean;
}

export interface PlannedVolume {
  readonly path: string;
  readonly initial: "none" | "copy" | "sync";
  /** There was content: an empty volume is refused. */
  readonly promised: boolean;
}

export interface PlannedSecret {
  readonly delivery: "mount" | "env";
  /** A path, or the name of a variable. */
  readonly name: string;
  readonly required: boolean;
  readonly reason: string;
}

export interface PlannedProgram {
  readonly name: string;
  readonly command: readonly string[];
  /** "" = as the container has it, as with `user`. */
  readonly workingDirectory: string;
  readonly user: string;
  readonly environment: Variables;
}

export type PlannedReadiness =
  | { readonly kind: "none"; readonly timeout: number }
  | { readonly kind: "port"; readonly port: number; readonly timeout: number }
  | { readonly kind: "file"; readonly file: string; readonly timeout: number }
  | { readonly kind: "exec"; readonly exec: readonly string[]; readonly timeout: number }
  | { readonly kind: "log"; readonly log: string; readonly timeout: number };

/** Times are milliseconds. */
export interface PlannedService {
  readonly name: string;
  /** Index into programs. */
  readonly program: number;
  readonly startup: "auto" | "manual" | "disabled";
  readonly essential: boolean;
  readonly type: "simple" | "forking" | "oneshot";
  readonly pidFile: string;
  /** Indices of services before this one. */
  readonly after: readonly number[];
  readonly readiness: PlannedReadiness;
  /** attempts: null = no end. */
  readonly restart: {
    readonly policy: "no" | "on-failure" | "always";
    readonly attempts: number | null;
    readonly backoff: number;
  };
  readonly stop: { readonly signal: number; readonly timeout: number; readonly command: readonly string[] };
}

export interface PlannedSchedule {
  readonly name: string;
  /** As written, for messages. */
  readonly expression: string;
  readonly program: number;
  readonly times: CronTimes;
}

export interface PlannedSocket {
  /** Index into services. */
  readonly service: number;
  readonly type: "stream" | "datagram" | "seqpacket";
  readonly given: "listen" | "input";
  readonly name: string;
  /** An IP address ("" = any), a path, or "@" and an abstract name. */
  readonly address: string;
  /** 0 for paths and names. */
  readonly port: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly ipv6Only: boolean;
}
