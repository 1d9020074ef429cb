// A control plane in simulated time on the driver that runs nothing, as the model-based tests drive it.

import { checkInput, checkOutput } from "../../src/cluster/api/model.ts";
import { handlers } from "../../src/cluster/api/operations.ts";
import { Control } from "../../src/cluster/control/control.ts";
import { Loop } from "../../src/cluster/control/loop.ts";
import { type Fate, NullDriver, plainNode } from "../../src/cluster/drivers/null-driver.ts";
import { State } from "../../src/cluster/state/state.ts";

export class SimulatedCluster {
  readonly driver: NullDriver;
  readonly state = new State(":memory:");
  control!: Control;
  loop!: Loop;
  now = 1_700_000_000_000;
  #seed: number;
  #next: number | undefined;

  constructor(seed: number, nodes: number, fate: Fate) {
    this.#seed = seed | 1;
    this.driver = new NullDriver(
      Array.from({ length: nodes }, (_, index) => plainNode(`n${index}`, 1024, 1024)),
      fate,
    );
  }

  /** Begins, or begins again after a crash: what was not committed is as lost as it would be (the state is shared, commits are per step). */
  async open(): Promise<void> {
    this.control = new Control({
      state: this.state,
      driver: this.driver,
      clock: { now: () => this.now },
      random: () => this.#random(),
      deregistrationDelay: 5000,
    });
    this.loop = new Loop(this.control);
    await this.loop.open();
    this.settle();
  }

  call(operation: string, input: object): Record<string, unknown> {
    checkInput(operation, input);
    const handler = handlers.get(operation);
    if (handler === undefined) throw new Error(operation);
    const output = handler(
      { control: this.control, principal: "arn:aws:iam::0:root", region: "r", endpoint: "http://h" },
      input as never,
    );
    this.state.commit();
    checkOutput(operation, JSON.parse(JSON.stringify(output)));
    this.settle();
    return output as Record<string, unknown>;
  }

  settle(): void {
    this.#next = this.loop.step();
  }

  /** Lets time pass, stopping wherever a reconciler wants to be called. */
  advance(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let round = 0; this.#next !== undefined && this.#next <= end; round++) {
      if (round > 5000) throw new Error("time does not pass");
      this.now = Math.max(this.now, this.#next);
      this.settle();
      if (this.#next !== undefined && this.#next <= this.now) this.now++;
    }
    this.now = end;
    this.settle();
  }

  close(): void {
    this.state.close();
  }

  #random(): number {
    this.#seed = (Math.imul(this.#seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return this.#seed / 0x80000000;
  }
}
