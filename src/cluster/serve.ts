// Puts the control plane together: state, control, reconcilers, front. `cluster serve` and tests build it here.
import type { FastifyInstance } from "fastify";
import type { AgentEntry } from "./api/agent-stream.ts";
import { makeServer, type Patience } from "./api/server.ts";
import { type Clock, type ClusterEvent, Control } from "./control/control.ts";
import { Loop } from "./control/loop.ts";
import type { Driver } from "./drivers/driver.ts";
import type { TaskRoles } from "./roles/task-roles.ts";
import { State } from "./state/state.ts";
import type { ResolveInputs } from "./task-inputs.ts";

export interface ServeOptions {
  /** File of the state, or ":memory:". */
  stateFile: string;
  driver: Driver;
  account?: string;
  region?: string;
  clock?: Clock;
  /** Finds the secrets and environment files of tasks. Default: none are known. */
  resolve?: ResolveInputs;
  /** How long a node may be unreachable before its tasks count as lost, in milliseconds. */
  nodeGrace?: number;
  /** How long tasks with ports answer on when their service lets them go, in milliseconds. */
  deregistrationDelay?: number;
  random?: () => number;
  /** Makes the credentials of tasks. Default: they get none. */
  roles?: TaskRoles;
  secretOf?: (accessKeyId: string) => string | undefined;
  unsigned?: boolean;
  allowReset?: boolean;
  /** In PEM. */
  tls?: { cert: Buffer; key: Buffer };
  /** Takes the agents of nodes in. */
  agents?: AgentEntry;
  /** With slow peers. */
  patience?: Patience;
  onEvent?: (event: ClusterEvent) => void;
  onDefect: (error: unknown) => void;
  /** Told what is answered to calls. */
  onAnswer?: (operation: string, text: string) => void;
}

export interface ControlPlane {
  control: Control;
  loop: Loop;
  server: FastifyInstance;
  /** Ends the front, then the reconcilers, then the driver's connection; what runs goes on. */
  close(): Promise<void>;
}

/** Opens the state, adopts what runs and goes on; the front does not listen yet. E_STATE_BUSY where another control plane has the state. */
export async function makeControlPlane(options: ServeOptions): Promise<ControlPlane> {
  const state = new State(options.stateFile);
  const control = new Control({ ...options, state });
  const loop = new Loop(control);
  const pace = new Pace(loop, control.clock, options.onDefect);
  if (options.onEvent !== undefined) control.onEvent = options.onEvent;
  control.onWake = () => pace.wake();
  control.onReset = () => {
    for (const task of state.task.all()) options.driver.stop(task.id);
    state.reset();
    control.occupancy.clear();
  };
  const { roles } = options;
  if (roles !== undefined)
    options.driver.credentialsFrom?.(async (task, node) => roles.credentialsOf(control, task, node));
  await loop.open();
  const server = makeServer({
    control,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.agents === undefined ? {} : { agents: options.agents }),
    ...(options.patience === undefined ? {} : { patience: options.patience }),
    secretOf: options.secretOf ?? (() => undefined),
    unsigned: options.unsigned ?? false,
    allowReset: options.allowReset ?? false,
    onDefect: options.onDefect,
    ...(options.onAnswer === undefined ? {} : { onAnswer: options.onAnswer }),
  });
  return {
    control,
    loop,
    server,
    close: async () => {
      await server.close();
      pace.stop();
      await options.driver.close();
      state.commit();
      state.close();
    },
  };
}

/** Takes the steps soon after they are asked for, and when a time has come. */
class Pace {
  readonly #loop: Loop;
  readonly #clock: Clock;
  readonly #onDefect: (error: unknown) => void;
  #soon: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(loop: Loop, clock: Clock, onDefect: (error: unknown) => void) {
    this.#loop = loop;
    this.#clock = clock;
    this.#onDefect = onDefect;
  }

  wake(): void {
    if (!this.#stopped) this.#soon ??= setImmediate(() => this.#step());
  }

  stop(): void {
    this.#stopped = true;
    clearImmediate(this.#soon);
    clearTimeout(this.#timer);
  }

  #step(): void {
    this.#soon = undefined;
    clearTimeout(this.#timer);
    let next: number | undefined;
    try {
      next = this.#loop.step();
    } catch (error) {
      this.#onDefect(error);
      next = this.#clock.now() + 1000;
    }
    const sweep = this.#clock.now() + 60_000;
    const delay = Math.max(5, Math.min(next ?? sweep, sweep) - this.#clock.now());
    this.#timer = setTimeout(() => this.wake(), delay);
    this.#timer.unref();
  }
}
