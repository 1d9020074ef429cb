// A container is started. Where the last one on an overlay network of this node has just ended, the engine may still be taking the network away from the
// node while it is asked to bring it there again: it then says that the network is not there, or waits for its manager in vain, and knows better a moment later.
import { setTimeout as pause } from "node:timers/promises";
import { type Engine, EngineError } from "./engine.ts";

/** Milliseconds before each further try. */
const waits = [100, 300, 900, 2700];

/** EngineError as the engine says. */
export async function startContainer(engine: Engine, id: string): Promise<void> {
  for (const wait of waits) {
    try {
      await engine.post(`/containers/${id}/start`);
      return;
    } catch (error) {
      if (!isBetween(error)) throw error;
      await pause(wait);
    }
  }
  await engine.post(`/containers/${id}/start`);
}

function isBetween(error: unknown): boolean {
  return (
    error instanceof EngineError &&
    /^network \S+ not found|^attaching to network failed.*deadline exceeded/.test(error.message)
  );
}
