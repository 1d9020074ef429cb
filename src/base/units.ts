// Units of size and time as people write them. Sizes are bytes, times are milliseconds.
import { TranshipError } from "./errors.ts";

const binary = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** 1536 -> "1.5 KiB". */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < binary.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${binary[unit] ?? "B"}`;
}

/** Accepts 512, 512k, 512m, 1g (binary, as docker), 512KiB, 1MB (decimal). Returns bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(ib|b)?$/i.exec(text.trim());
  if (match === null) {
    throw new TranshipError("E_USAGE", `not a size: ${JSON.stringify(text)}`, {
      hint: "write a number with an optional unit: 512m, 1.5GiB, 2048",
    });
  }
  const power = " kmgtp".indexOf((match[2] ?? "").toLowerCase() || " ");
  const decimal = match[3]?.toLowerCase() === "b" && power > 0;
  return Math.round(Number(match[1]) * (decimal ? 1000 : 1024) ** power);
}

/**
 * A rate in tc's words: 10mbit, 500kbit, 1gbit (decimal); with "bps" it counts bytes (10mbps). A number with or without K, M or G is bits, as
 * Kubernetes has them. Returns bytes a second.
 */
export function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(bit|bps)?$/i.exec(text.trim());
  const unit = 1000 ** Math.max(0, " kmgt".indexOf((match?.[2] ?? "").toLowerCase() || " "));
  const bytes = Math.floor((Number(match?.[1]) * unit) / (match?.[3]?.toLowerCase() === "bps" ? 1 : 8));
  if (bytes >= 1) return bytes;
  throw new TranshipError("E_USAGE", `not a rate: ${JSON.stringify(text)}`, {
    hint: "write for example 500kbit, 10mbit or 1gbit",
  });
}

const timeUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Accepts 500ms, 2s, 1m30s, 1h, 3d and bare seconds. Returns milliseconds. */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== trimmed) {
    throw new TranshipError("E_USAGE", `not a duration: ${JSON.stringify(text)}`, {
      hint: "write for example 500ms, 30s, 5m or 1h",
    });
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (timeUnits[part[2] ?? ""] ?? 0), 0);
}

/** 90500 -> "1m30s"; below a minute with one decimal, below a second in ms. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)}s`;
  const seconds = Math.round(milliseconds / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return `${hours}h${minutes}m`;
  return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
}

/** As `docker ps` says it: "3 minutes", "About an hour", "2 days". */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 46) return `${minutes} minutes`;
  const hours = Math.floor(minutes / 60 + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  const days = Math.floor(hours / 24);
  if (days < 14) return `${days} days`;
  if (days < 60) return `${Math.floor(days / 7)} weeks`;
  return days < 730 ? `${Math.floor(days / 30)} months` : `${Math.floor(days / 365)} years`;
}
