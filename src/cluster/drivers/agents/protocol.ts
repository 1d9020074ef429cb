// What travels between the control plane and the agent of a node; docs/internals/cluster.md has the page. Text messages are one word each, binary ones the streams of commands.
import { z } from "zod";
import type { LogQuery } from "../../logs/log-event.ts";
import type { DriverNode, SeenTask, TaskCredentials, TaskSpec } from "../driver.ts";

export const protocolVersion = 1;
/** Where the control plane takes agents in. */
export const agentPath = "/v1/agent";

/** Milliseconds: each side says something so often, and gives the other up after so long. */
export const beatEvery = 2_000;
export const silenceEnds = 8_000;
/** Until an agent has noticed that its connection is gone. */
export const noticedWithin = silenceEnds + beatEvery;

/** Codes of a connection that the control plane ends: what the agent said cannot be used now, or never (another token, another version). */
export const refusal = { now: 1008, forGood: 4001 } as const;

/** From the agent. `credentials` asks for those of a task that the node has. `hello` comes first, then every task that it holds, then `opened`. */
export type FromAgent =
  | { hello: { protocol: number; token: string; node: DriverNode; engine: EngineKind } }
  | { task: SeenTask }
  | { opened: true }
  | { beat: true }
  | { exited: { session: number; status: number } }
  | { credentials: { task: string } };

export type EngineKind = "namespace" | "docker";

export interface ExecOrder {
  session: number;
  task: string;
  container: string;
  command: string;
  interactive: boolean;
}

/** To the agent. `welcome` answers its hello: without a connection for so many milliseconds it ends what must not be there twice. */
export type ToAgent =
  | { welcome: { fenceAfter: number } }
  | { start: TaskSpec }
  | { letGo: string }
  | { stop: string }
  | { forget: string }
  | { exec: ExecOrder }
  | { logs: { session: number; query: LogQuery } }
  | { eof: number }
  | { kill: number }
  | { hold: number }
  | { go: number }
  | { credentials: { task: string; given: TaskCredentials | null } }
  | { beat: true };

/** Before the bytes of a binary message: stream (0 to the command, 1 and 2 from it) and session, most significant byte first. */
export function packStream(stream: number, session: number, chunk: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = stream;
  head.writeUInt32BE(session, 1);
  return Buffer.concat([head, chunk]);
}

/** undefined where it is too short to be one. */
export function unpackStream(
  data: Buffer,
): { stream: number; session: number; chunk: Uint8Array } | undefined {
  if (data.length < 5) return undefined;
  return { stream: data[0] ?? 0, session: data.readUInt32BE(1), chunk: data.subarray(5) };
}

const attribute = z.looseObject({ name: z.string().min(1).max(128), value: z.string().max(128).optional() });
const amount = z.number().int().min(0).max(1e9);
const node = z.object({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/),
  cpu: amount,
  memory: amount,
  reservedPorts: z.array(z.string().max(16)).max(1000),
  attributes: z.array(attribute).max(100),
  connected: z.boolean(),
});
const time = z.number().min(0).optional();
const taskId = z.string().regex(/^[0-9a-f]{32}$/);
const seenTask = z.object({
  id: taskId,
  lastStatus: z.enum(["PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "STOPPED"]),
  containers: z.array(z.looseObject({ name: z.string().max(255) })).max(120),
  attachments: z.array(z.looseObject({})).max(120).optional(),
  stopCode: z.enum(["EssentialContainerExited", "TaskFailedToStart", "InfrastructureHealth"]).optional(),
  stoppedReason: z.string().max(10_000).optional(),
  pullStartedAt: time,
  pullStoppedAt: time,
  startedAt: time,
  executionStoppedAt: time,
});
const fromAgent = z.union([
  z.object({ beat: z.literal(true) }),
  z.object({ task: seenTask }),
  z.object({ opened: z.literal(true) }),
  z.object({ exited: z.object({ session: amount, status: z.number().int().min(0).max(255) }) }),
  z.object({ credentials: z.object({ task: taskId }) }),
  z.object({
    hello: z.object({
      protocol: z.number(),
      token: z.string().max(200),
      node,
      engine: z.enum(["namespace", "docker"]),
    }),
  }),
]);

/** undefined where it is none: what an agent says is not trusted further than its node. */
export function readFromAgent(text: string): FromAgent | undefined {
  const read = fromAgent.safeParse(parsed(text));
  return read.success ? (read.data as FromAgent) : undefined;
}

/** The control plane has been chosen by who started the agent: what it says is taken as it is. */
export function readToAgent(text: string): ToAgent {
  return (parsed(text) ?? {}) as ToAgent;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
