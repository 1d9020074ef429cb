// Amounts as docker writes them: three or four figures and a unit without a space.

const decimal = ["B", "kB", "MB", "GB", "TB", "PB"] as const;
const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** 1234567 -> "1.23MB". */
export function humanSize(bytes: number): string {
  return scaled(bytes, 1000, decimal, 3);
}

/** 1234567 -> "1.177MiB". */
export function bytesSize(bytes: number): string {
  return scaled(bytes, 1024, binary, 4);
}

function scaled(bytes: number, base: number, units: readonly string[], figures: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  // As %.3g: no zeros at the end, no exponent for what is below a thousand.
  return `${Number(value.toPrecision(figures))}${units[unit] ?? "B"}`;
}
