import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { assess } from "../../src/assess/assess.ts";
import { readTarget } from "../../src/assess/target.ts";
import { discover } from "../../src/discover/discover.ts";
import { elfHeader, memoryMachine } from "../support/memory-machine.ts";

const schemas = join(import.meta.dirname, "../../schemas");
const machine = memoryMachine({
  "/bin/sh": { bytes: elfHeader(62), mode: 0o755 },
  "/lib/systemd/system/a.service": "[Service]\nExecStart=/bin/sh\nEnvironment=A=1\n",
  "/etc/crontab": "* * * * * root /opt/x\n",
  "/etc/fstab": "fs:/x /data nfs rw 0 0\n",
  "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
  "/etc/group": "root:x:0:a,b\n",
  "/etc/nginx/nginx.conf": "listen 80;\n",
  "/var/lib/dpkg/status": "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n",
});

function validator(name: string): (value: unknown) => string[] {
  const schema = JSON.parse(readFileSync(join(schemas, name), "utf8"));
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(schema);
  return (value) => {
    validate(JSON.parse(JSON.stringify(value)));
    return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  };
}

test("an inventory follows schemas/inventory.schema.json; a broken one does not", async () => {
  const check = validator("inventory.schema.json");
  const inventory = await discover(machine);
  assert.deepEqual(check(inventory), []);
  assert.ok(
    inventory.services.length + inventory.schedules.length + inventory.installed.packages.length >= 3,
  );
  assert.notDeepEqual(check({ ...inventory, os: 1 }), []);
});

test("an assessment follows schemas/assessment.schema.json; a broken one does not", async () => {
  const check = validator("assessment.schema.json");
  const assessment = await assess(await discover(machine), machine, readTarget());
  assert.deepEqual(check(assessment), []);
  assert.notDeepEqual(check({ ...assessment, verdict: "Fine" }), []);
});
