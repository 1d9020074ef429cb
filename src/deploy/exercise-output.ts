// What an exercise printed, as both sides of a parity test have it: each stream by itself, since two pipes say nothing of the order in
// which they were written to, and never more than fits.

const most = 16 << 20;

export class ExerciseOutput {
  readonly #streams = { stdout: "", stderr: "" };
  #cut = false;

  add(stream: "stdout" | "stderr", text: string): void {
    if (this.#streams.stdout.length + this.#streams.stderr.length + text.length > most) this.#cut = true;
    else this.#streams[stream] += text;
  }

  text(): string {
    return `${this.#streams.stdout}${this.#streams.stderr}${this.#cut ? `\n[cut at ${most} characters]\n` : ""}`;
  }
}
