// Where the agents of nodes come in: a WebSocket, worded as drivers/agents/protocol.ts says.
import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { acceptAgent } from "../drivers/agents/agent-link.ts";
import type { AgentsDriver } from "../drivers/agents/agents-driver.ts";
import { agentPath } from "../drivers/agents/protocol.ts";

export interface AgentEntry {
  driver: AgentsDriver;
  /** What a node must know to join; asked each time, so that a new one counts at once. */
  token: () => string;
}

export function serveAgents(server: FastifyInstance, { driver, token }: AgentEntry, nodeGrace: number): void {
  const entry = { driver, mayEnter: (given: string) => same(given, token()), fenceAfter: nodeGrace / 2 };
  server.get(agentPath, { websocket: true }, (socket) => acceptAgent(socket, entry));
}

function same(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.length === right.length && timingSafeEqual(left, right);
}
