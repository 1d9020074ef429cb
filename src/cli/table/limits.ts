// Flags that limit an instance: docker's words where docker has them.
import type { OptionSpec } from "../verb.ts";

/** Those that `update` can change while it runs. */
export const limitOptions: readonly OptionSpec[] = [
  { flags: "-m, --memory <SIZE>", summary: "memory limit" },
  { flags: "--memory-swap <SIZE>", summary: "memory and swap together; -1: any swap" },
  { flags: "--memory-reservation <SIZE>", summary: "memory that is left to it when the host runs short" },
  { flags: "--cpus <NUMBER>", summary: "processors, also a fraction" },
  { flags: "--cpu-quota <MICROSECONDS>", summary: "the same, as time in each --cpu-period" },
  { flags: "--cpu-period <MICROSECONDS>", summary: "what --cpu-quota is a part of; 100000 by default" },
  { flags: "-c, --cpu-shares <NUMBER>", summary: "weight when the processors are busy; 1024 is usual" },
  { flags: "--cpuset-cpus <LIST>", summary: "only these processors, such as 0-3,8" },
  { flags: "--cpuset-mems <LIST>", summary: "only these memory nodes" },
  { flags: "--pids-limit <NUMBER>", summary: "processes and threads" },
  { flags: "--blkio-weight <NUMBER>", summary: "weight when a disk is busy, 10 to 1000" },
  { flags: "--ingress-bandwidth <RATE>", summary: "how fast it receives, such as 10mbit" },
  { flags: "--egress-bandwidth <RATE>", summary: "how fast it sends, such as 10mbit" },
];

/** Those that hold from the start to the end. */
export const fixedLimitOptions: readonly OptionSpec[] = [
  { flags: "--device-read-bps <DISK:RATE>", summary: "bytes a second, such as /dev/sda:10mb", many: true },
  { flags: "--device-write-bps <DISK:RATE>", summary: "the same for writing", many: true },
  { flags: "--device-read-iops <DISK:RATE>", summary: "operations a second", many: true },
  { flags: "--device-write-iops <DISK:RATE>", summary: "the same for writing", many: true },
  { flags: "--ulimit <NAME=SOFT:HARD>", summary: "a limit of each process, such as nofile=4096", many: true },
  { flags: "--shm-size <SIZE>", summary: "/dev/shm; 64m by default" },
  {
    flags: "--oom-score-adj <NUMBER>",
    summary: "-1000 to 1000; more is killed sooner when the host runs short",
  },
  {
    flags: "--storage-opt <KEY=VALUE>",
    summary: "size=SIZE: the most that it can write outside of its volumes",
    many: true,
  },
];
