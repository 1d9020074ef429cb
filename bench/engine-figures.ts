// Figures of the bench of the in-process engine: samples by row and way, and a table of their medians with what is aimed at.
import { median, type Sample } from "./measure.ts";

export interface Row {
  name: string;
  /** "1/s" is a rate: more is better, and its CPU time is that for each answer, in microseconds. */
  unit: "ns" | "ms" | "1/s";
  aim?: Aim;
}

/** What one way shall have against the first. `ratio`: at most; `rate`: at least; `more`: so many of the unit more, at most. */
export interface Aim {
  way: string;
  kind: "ratio" | "rate" | "more";
  value: number;
}

export class Figures {
  readonly #rows: readonly Row[];
  readonly #ways: readonly string[];
  readonly #samples = new Map<string, Sample[]>();

  constructor(rows: readonly Row[], ways: readonly string[]) {
    this.#rows = rows;
    this.#ways = ways;
  }

  #of(row: string, way: string): Sample[] {
    return this.#samples.get(`${row}\n${way}`) ?? [];
  }

  note(row: string, way: string, sample: Sample | undefined): void {
    if (sample !== undefined) this.#samples.set(`${row}\n${way}`, [...this.#of(row, way), sample]);
  }

  #median(row: string, way: string, key: keyof Sample): number {
    return median(this.#of(row, way).map((one) => one[key]));
  }

  #cell({ name, unit }: Row, way: string): string {
    const [first = ""] = this.#ways;
    if (this.#of(name, way).length === 0) return "-";
    const [wall, cpu] = [this.#median(name, way, "wall"), this.#median(name, way, "cpu")];
    const digits = unit === "ms" ? 2 : 0;
    if (way === first) return `${wall.toFixed(digits)} (CPU ${cpu.toFixed(unit === "1/s" ? 1 : digits)})`;
    const ratio = wall / this.#median(name, first, "wall");
    const cpuRatio = cpu / this.#median(name, first, "cpu");
    return `${wall.toFixed(digits)} (${ratio.toFixed(2)}; CPU ${cpuRatio.toFixed(2)})`;
  }

  #verdict({ name, unit, aim }: Row): string {
    if (aim === undefined) return "";
    const [first = ""] = this.#ways;
    const compare = (own: number, other: number): number => (aim.kind === "more" ? own - other : own / other);
    const value = compare(this.#median(name, aim.way, "wall"), this.#median(name, first, "wall"));
    const wish =
      aim.kind === "more" ? `at most +${aim.value} ${unit}` : aim.kind === "rate" ? "at least " : "at most ";
    const asked = aim.kind === "more" ? wish : `${wish}${aim.value.toFixed(2)}`;
    if (Number.isNaN(value)) return `${asked}: not measured`;
    const rounds = this.#of(name, aim.way).map(({ wall }, n) =>
      compare(wall, this.#of(name, first)[n]?.wall ?? Number.NaN),
    );
    const tell = (one: number): string =>
      `${aim.kind === "more" && one >= 0 ? "+" : ""}${one.toFixed(unit === "ns" && aim.kind === "more" ? 0 : 2)}`;
    const met = aim.kind === "rate" ? value >= aim.value : value <= aim.value;
    const spread = `[${tell(Math.min(...rounds))} to ${tell(Math.max(...rounds))}]`;
    return `${asked}: ${tell(value)} ${spread}, ${met ? "met" : "**missed**"}`;
  }

  table(): string {
    const rows = this.#rows.filter(({ name }) => this.#ways.some((way) => this.#of(name, way).length > 0));
    const lines = rows.map((row) => {
      const cells = this.#ways.map((way) => this.#cell(row, way));
      const counts = [...new Set(this.#ways.map((way) => this.#of(row.name, way).length))].filter(Boolean);
      const n = counts.sort((a, b) => b - a).join(", ");
      return `| ${row.name}, ${row.unit} | ${cells.join(" | ")} | ${this.#verdict(row)} | ${n} |`;
    });
    const head = `| | ${this.#ways.join(" | ")} | aim of the engine | n |`;
    return [head, `|${"---|".repeat(this.#ways.length + 3)}`, ...lines].join("\n");
  }
}
