// Credentials of tasks, asked for over the connection of the agent.
import type { TaskCredentials } from "../driver.ts";

/** Milliseconds. */
const patience = 3_000;

interface Waiting {
  resolve: (given: TaskCredentials | undefined) => void;
  timer: NodeJS.Timeout;
}

export class CredentialQuestions {
  readonly #say: (task: string) => void;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(say: (task: string) => void) {
    this.#say = say;
  }

  /** Rejects where no answer comes: there is no connection, or the control plane is slow. */
  ask(task: string): Promise<TaskCredentials | undefined> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#take(task);
        reject(new Error("the control plane does not answer"));
      }, patience);
      this.#waiting.set(task, [...(this.#waiting.get(task) ?? []), { resolve, timer }]);
      this.#say(task);
    });
  }

  answered(task: string, given: TaskCredentials | null): void {
    for (const { resolve, timer } of this.#take(task)) {
      clearTimeout(timer);
      resolve(given ?? undefined);
    }
  }

  #take(task: string): Waiting[] {
    const waiting = this.#waiting.get(task) ?? [];
    this.#waiting.delete(task);
    return waiting;
  }
}
