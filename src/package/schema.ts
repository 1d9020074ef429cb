// The schema of a descriptor: checks a YAML text and fills in defaults. Not loaded by hot verbs (zod).
import { z } from "zod";
import { nearest } from "../base/nearest.ts";
import { parseDuration, parseRate, parseSize } from "../base/units.ts";
import { parseCron } from "./cron.ts";
import type { Descriptor } from "./descriptor.ts";
import { dmiName } from "./identity.ts";
import { brokenReferences } from "./references.ts";
import { signalNames, signalOf } from "./signals.ts";

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, "must start with a letter or digit; then letters, digits, _ . -")
  .max(128);
const path = z
  .string()
  .regex(/^\//, "must be an absolute path")
  .refine((text) => !/\0|\/\.\.(\/|$)/.test(text), "may hold neither .. nor a zero byte")
  .max(4096);
const duration = z.string().refine((text) => readable(parseDuration, text), {
  message: "must be a duration such as 30s",
  params: { hint: "write for example 500ms, 30s, 5m or 1h" },
});
const size = z.string().refine((text) => readable(parseSize, text), {
  message: "must be a size such as 512MiB",
  params: { hint: "write for example 512MiB, 1.5GiB or a number of bytes" },
});
const rate = z.string().refine((text) => readable(parseRate, text), {
  message: "must be a rate such as 10mbit",
  params: { hint: "write for example 500kbit, 10mbit or 1gbit" },
});
const signal = z.string().superRefine((text, context) => {
  if (signalOf(text) !== undefined) return;
  const meant = nearest(text, signalNames);
  const params = meant === undefined ? {} : { hint: `did you mean ${meant}?` };
  context.addIssue({ code: "custom", message: `is no signal: ${JSON.stringify(text)}`, params });
});
const cron = z.string().superRefine((text, context) => {
  const result = parseCron(text);
  if ("problem" in result) context.addIssue({ code: "custom", message: result.problem });
});

function readable(parse: (text: string) => number, text: string): boolean {
  try {
    return parse(text) <= 0xffff_fffe || parse !== parseDuration;
  } catch {
    return false;
  }
}

const command = z.array(z.string()).min(1);
const variables = z.record(z.string().regex(/^[^=\0]+$/, "a variable's name has no ="), z.string());

const program = z.looseObject({
  name,
  command,
  workingDirectory: path.optional(),
  user: z.string().optional(),
  environment: variables.optional(),
});

const readiness = z
  .looseObject({
    port: z.int().min(1).max(65535).optional(),
    file: path.optional(),
    exec: command.optional(),
    log: z.string().optional(),
    timeout: duration.optional(),
  })
  .refine(
    (value) => [value.port, value.file, value.exec, value.log].filter((way) => way !== undefined).length <= 1,
    {
      message: "at most one of port, file, exec and log",
    },
  );

const socket = z.looseObject({
  listen: z.string().min(1).max(300),
  type: z.enum(["stream", "datagram", "seqpacket"]).optional(),
  given: z.enum(["listen", "input"]).optional(),
  name: z
    .string()
    .regex(/^[^:\0]{1,255}$/, "a socket's name has no colon")
    .optional(),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .optional(),
  uid: z.int().min(0).optional(),
  gid: z.int().min(0).optional(),
  ipv6Only: z.boolean().optional(),
});

const service = z
  .looseObject({
    name,
    program: name,
    startup: z.enum(["auto", "manual", "disabled"]).optional(),
    startOnDeploy: z.boolean().optional(),
    essential: z.boolean().optional(),
    after: z.array(name).optional(),
    type: z.enum(["simple", "forking", "oneshot"]).optional(),
    pidFile: path.optional(),
    readiness: readiness.optional(),
    restart: z
      .looseObject({
        policy: z.enum(["no", "on-failure", "always"]),
        attempts: z.int().min(0).optional(),
        backoff: duration.optional(),
      })
      .optional(),
    stop: z
      .looseObject({
        signal: signal.optional(),
        timeout: duration.optional(),
        command: command.optional(),
      })
      .optional(),
    sockets: z.array(socket).max(64).optional(),
  })
  .refine((value) => value.type !== "forking" || value.pidFile !== undefined, {
    message: "type forking needs pidFile",
  });

const secret = z.discriminatedUnion("delivery", [
  z.looseObject({
    delivery: z.literal("mount"),
    path,
    required: z.boolean().default(true),
    reason: z.string().optional(),
  }),
  z.looseObject({
    delivery: z.literal("env"),
    name: z.string(),
    required: z.boolean().default(true),
    reason: z.string().optional(),
  }),
]);

const mac = z.string().regex(/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/, "must be like 02:00:5e:10:20:30");
const machineId = z.string().regex(/^[0-9a-f]{32}$/, "must be 32 hexadecimal digits");
const hostId = z.string().regex(/^[0-9a-f]{8}$/, "must be 8 hexadecimal digits");
const dmi = z.record(
  z.string().regex(dmiName, "must be the name of a file of /sys/class/dmi/id"),
  z.string().regex(/^[^\0\n]*$/, "must be one line"),
);

const identity = z.looseObject({
  hostname: z.string().nullable().default(null),
  domain: z.string().nullable().default(null),
  timezone: z.string().nullable().default(null),
  locale: z.string().nullable().default(null),
  macAddress: mac.nullable().default(null),
  addresses: z.array(z.string()).default([]),
  machineId: machineId.nullable().default(null),
  hostId: hostId.nullable().default(null),
  dmi: dmi.nullable().default(null),
});

/** As found, whatever it was. */
const sourceIdentity = z.looseObject({
  macAddresses: z.array(z.string()).default([]),
  addresses: z.array(z.string()).default([]),
  machineId: z.string().nullable().default(null),
  hostId: z.string().nullable().default(null),
  dmi: z.record(z.string(), z.string()).default({}),
});

const hook = z
  .looseObject({
    program: name.optional(),
    command: command.optional(),
    where: z.enum(["package", "host"]).default("package"),
    timeout: duration.optional(),
  })
  .refine((value) => (value.program === undefined) !== (value.command === undefined), {
    message: "needs one of program and command",
  });

export const descriptorSchema = z
  .looseObject({
    apiVersion: z.literal("tranship/v1alpha1"),
    kind: z.literal("Package"),
    metadata: z.looseObject({
      id: z.string(),
      name: z.string(),
      version: z.string().default("1"),
      publisher: z.string().default(""),
    }),
    origin: z.looseObject({
      os: z.looseObject({ id: z.string(), version: z.string() }),
      kernel: z.string().default(""),
      architecture: z.string(),
      identity: sourceIdentity.optional(),
    }),
    programs: z.array(program).default([]),
    services: z.array(service).default([]),
    schedules: z.array(z.looseObject({ name, cron, program: name })).default([]),
    environment: variables.default({}),
    ports: z
      .array(
        z.looseObject({
          port: z.int().min(1).max(65535),
          protocol: z.enum(["tcp", "udp", "sctp"]).default("tcp"),
          name: z.string().optional(),
        }),
      )
      .default([]),
    volumes: z
      .array(
        z.looseObject({
          path,
          initial: z.enum(["copy", "none", "sync"]).default("copy"),
          reason: z.string().optional(),
          size: size.optional(),
        }),
      )
      .default([]),
    secrets: z.array(secret).default([]),
    directories: z
      .array(
        z.looseObject({
          path,
          mode: z.string().regex(/^[0-7]{3,5}$/),
          uid: z.int().min(0),
          gid: z.int().min(0),
          empty: z.boolean().optional(),
        }),
      )
      .default([]),
    identity: identity.prefault({}),
    elements: z
      .looseObject({
        clock: z
          .looseObject({
            offset: z.string().optional(),
            at: z.string().optional(),
            rate: z.number().optional(),
            frozen: z.string().optional(),
          })
          .nullable()
          .default(null),
        uname: z
          .looseObject({
            release: z.string().optional(),
            version: z.string().optional(),
            machine: z.string().optional(),
          })
          .nullable()
          .default(null),
        vsyscall: z.enum(["auto", "on", "off"]).default("auto"),
        loopback: z.enum(["kernel", "fast"]).default("kernel"),
        users: z.enum(["kernel", "view"]).default("kernel"),
      })
      .prefault({}),
    redirections: z
      .looseObject({
        files: z
          .array(
            z.looseObject({
              from: path,
              to: path,
              match: z.enum(["exact", "folder"]),
              mode: z.enum(["full", "write-copy", "merged", "hide", "read-only"]),
            }),
          )
          .default([]),
        network: z
          .array(
            z.looseObject({ kind: z.enum(["connect", "name", "bind"]), from: z.string(), to: z.string() }),
          )
          .default([]),
        registry: z.array(z.unknown()).default([]),
      })
      .prefault({}),
    limits: z
      .looseObject({
        memory: size.nullable().default(null),
        cpus: z.number().positive().nullable().default(null),
        pids: z.int().positive().nullable().default(null),
        disk: size.nullable().default(null),
        network: rate.nullable().default(null),
        cpuset: z
          .string()
          .regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, "must be a list such as 0-3,8")
          .nullable()
          .optional(),
        io: z.int().min(10).max(1000).nullable().optional(),
        files: z.int().positive().nullable().optional(),
      })
      .prefault({}),
    capabilities: z
      .array(z.string().regex(/^[A-Z][A-Z_]{1,40}$/, "must be the name of a capability, such as NET_RAW"))
      .max(64)
      .nullable()
      .optional(),
    syscalls: z
      .looseObject({
        profile: z.enum(["default", "learned", "off"]).default("default"),
        calls: z
          .array(z.string().regex(/^[a-z0-9_]{1,64}$/, "must be the name of a system call"))
          .max(1000)
          .optional(),
      })
      .prefault({}),
    hooks: z
      .looseObject({
        preInstall: z.array(hook).default([]),
        postInstall: z.array(hook).default([]),
        uninstall: z.array(hook).default([]),
      })
      .prefault({}),
    associations: z
      .array(
        z.looseObject({ program: name, extensions: z.array(z.string()), mimeType: z.string().optional() }),
      )
      .default([]),
    shortcuts: z
      .array(
        z.looseObject({
          name: z.string(),
          program: name,
          icon: z.string().optional(),
          comment: z.string().optional(),
        }),
      )
      .default([]),
    links: z.array(z.string()).default([]),
    excludes: z.array(z.string()).default([]),
  })
  .superRefine((value, context) => {
    for (const { path, message, hint } of brokenReferences(value))
      context.addIssue({
        code: "custom",
        path,
        message,
        ...(hint === undefined ? {} : { params: { hint } }),
      });
  });

/** Compiles only while what the schema gives is a Descriptor. */
type SchemaIsDescriptor = z.infer<typeof descriptorSchema> extends Descriptor ? true : never;
((_: SchemaIsDescriptor): void => {})(true);
