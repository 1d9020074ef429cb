// The heart of the control plane: takes the steps that bring what is to what is wanted, each written down before the driver is told.
import type { DriverListener } from "../drivers/driver.ts";
import type { Control } from "./control.ts";
import { registerNodes } from "./instances.ts";
import { compareTasks, loseTasks } from "./node-loss.ts";
import { forgetService, stepService } from "./reconcile-service.ts";
import { stepTask, taskSeen } from "./reconcile-tasks.ts";
import { hasStopped } from "./stop-task.ts";
import { forgetDeleted } from "./task-definitions.ts";

export class Loop implements DriverListener {
  readonly #control: Control;
  /** When services want to be looked at again, in milliseconds since 1970. */
  readonly #due = new Map<string, number>();
  #inside = false;

  constructor(control: Control) {
    this.#control = control;
  }

  /** Adopts what still runs, and goes on where the last control plane stopped, however it ended. */
  async open(): Promise<void> {
    const { driver, state } = this.#control;
    driver.watch(this);
    await driver.open();
    registerNodes(this.#control);
    const held = new Set(this.#told);
    for (const task of [...state.task.all()]) {
      if (task.wire.lastStatus === "STOPPED") continue;
      // The node had it once and does not any more. Of one that is not connected nothing is known yet.
      const there = state.instance.get(task.instance ?? "")?.wire.agentConnected ?? true;
      if (there && task.seen && !held.has(task.id))
        hasStopped(this.#control, task, "InfrastructureHealth", "The task was lost with its host.");
      else this.#control.pending.add(task.id);
    }
    for (const service of state.service.all()) this.#control.restless.add(service.key);
    this.#opened = true;
    this.step();
  }

  #opened = false;
  readonly #told: string[] = [];

  taskChanged(seen: Parameters<DriverListener["taskChanged"]>[0]): void {
    if (!this.#opened) this.#told.push(seen.id);
    taskSeen(this.#control, seen);
    this.#control.onWake();
  }

  nodesChanged(): void {
    if (!this.#opened) return;
    registerNodes(this.#control);
    this.#control.onWake();
  }

  nodeOpened(node: string, held: readonly string[]): void {
    compareTasks(this.#control, node, held);
    this.#control.onWake();
  }

  /** Until nothing is left to do now. Returns when there is something to do without being woken, in milliseconds since 1970. */
  step(): number | undefined {
    // The driver may tell of a change from within.
    if (this.#inside) return this.#next();
    this.#inside = true;
    try {
      const { state, restless, pending } = this.#control;
      this.#housekeeping();
      // Each round needs a reason; the bound is for a defect, so that it shows and does not hang.
      for (let round = 0; restless.size + pending.size > 0; round++) {
        if (round > 10_000) throw new Error("the reconciler does not come to rest");
        this.#services();
        state.commit();
        this.#tasks();
      }
      if (this.#control.forgettable.size > 0) {
        state.commit();
        this.#forget();
      }
      this.#tellDefect();
      // What a driver has told need not be written at once: it can tell it again.
      state.written().catch(() => {}); // what could not be written stays to be written: the next step tells
      return this.#next();
    } finally {
      this.#inside = false;
    }
  }

  #services(): void {
    const { state, restless } = this.#control;
    const keys = [...restless];
    restless.clear();
    for (const key of keys) {
      this.#guarded(restless, key, () => {
        const service = state.service.get(key);
        const due = service === undefined ? undefined : stepService(this.#control, service);
        if (due === undefined) this.#due.delete(key);
        else this.#due.set(key, due);
      });
    }
  }

  #tasks(): void {
    const { state, pending } = this.#control;
    const ids = [...pending];
    pending.clear();
    for (const id of ids) {
      this.#guarded(pending, id, () => {
        const task = state.task.get(id);
        if (task !== undefined) stepTask(this.#control, task);
      });
    }
  }

  /** Where a defect of ours keeps one from its step, the others take theirs; it is tried again with the next call. */
  #guarded(waiting: Set<string>, key: string, take: () => void): void {
    try {
      take();
    } catch (error) {
      this.#defects.push({ error, again: () => waiting.add(key) });
    }
  }

  #tellDefect(): void {
    const defects = this.#defects;
    this.#defects = [];
    for (const { again } of defects) again();
    const [first] = defects;
    if (first !== undefined) throw first.error;
  }

  #defects: { error: unknown; again: () => void }[] = [];

  /** What has STOPPED is written down: the driver may forget it. */
  #forget(): void {
    const { forgettable, driver, handed } = this.#control;
    for (const id of forgettable) {
      driver.forget(id);
      handed.delete(id);
    }
    forgettable.clear();
  }

  #housekeeping(): void {
    const now = this.#control.clock.now();
    const { state } = this.#control;
    for (const [key, due] of this.#due) {
      if (due > now) continue;
      const service = state.service.get(key);
      if (service?.wire.status === "INACTIVE") forgetService(this.#control, service);
      this.#control.restless.add(key);
    }
    for (const [id, due] of this.#control.deactivating) {
      if (due > now) continue;
      this.#control.deactivating.delete(id);
      this.#control.pending.add(id);
    }
    this.#lossDue = loseTasks(this.#control);
    if (now < this.#nextSweep) return;
    this.#nextSweep = now + 60_000;
    for (const task of [...state.task.all()]) {
      if (task.forgetAt === undefined || task.forgetAt > now) continue;
      state.task.delete(task.id);
      this.#control.occupancy.forget(task);
    }
    forgetDeleted(state);
    for (const token of [...state.token.all()]) if (token.until <= now) state.token.delete(token.key);
  }

  #nextSweep = 0;
  #lossDue: number | undefined;

  #next(): number | undefined {
    const { deactivating } = this.#control;
    const times = [
      ...this.#due.values(),
      ...deactivating.values(),
      ...(this.#lossDue === undefined ? [] : [this.#lossDue]),
    ];
    return times.length === 0 ? undefined : times.reduce((least, time) => Math.min(least, time));
  }
}
