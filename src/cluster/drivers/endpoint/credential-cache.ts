// Credentials of the tasks of a node, as they were last given: new ones are asked for long before they expire, and tasks that ask often cost nothing.
import type { CredentialSource, TaskCredentials } from "../driver.ts";

/** A part of their time that must be left, so that what a task gets is always good for a while. */
const leastLeft = 0.5;

interface Known {
  credentials: TaskCredentials;
  /** Milliseconds since 1970. */
  renewAt: number;
  until: number;
}

export class CredentialCache {
  #source: CredentialSource = async () => undefined;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<TaskCredentials | undefined>>();

  from(source: CredentialSource): void {
    this.#source = source;
  }

  /** undefined where the task has no role or has ended; rejects where nobody can be asked and the last ones have expired. */
  async of(task: string): Promise<TaskCredentials | undefined> {
    const known = this.#known.get(task);
    if (known !== undefined && known.renewAt > Date.now()) return known.credentials;
    try {
      return await this.#ask(task);
    } catch (error) {
      // The control plane may be away for a while.
      if (known !== undefined && known.until > Date.now()) return known.credentials;
      throw error;
    }
  }

  forget(task: string): void {
    this.#known.delete(task);
  }

  #ask(task: string): Promise<TaskCredentials | undefined> {
    const under = this.#asking.get(task);
    if (under !== undefined) return under;
    const work = this.#source(task)
      .then((credentials) => {
        this.#known.delete(task);
        if (credentials !== undefined) this.#keep(task, credentials);
        return credentials;
      })
      .finally(() => this.#asking.delete(task));
    this.#asking.set(task, work);
    return work;
  }

  #keep(task: string, credentials: TaskCredentials): void {
    const until = Date.parse(credentials.Expiration);
    const left = until - Date.now();
    this.#known.set(task, { credentials, until, renewAt: until - left * leastLeft });
  }
}
