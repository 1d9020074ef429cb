// How secrets and environment files are named, and what a file says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEnvironment, secretValue } from "../../src/cluster/task-inputs.ts";

const values = new Map([
  ["shop/db", '{"user":"web","port":3306}'],
  ["plain", "text"],
  ["rotated-abcdef", "by its whole name"],
]);
const secrets = { get: (name: string) => values.get(name.replace(/^\//, "")) };
const manager = "arn:aws:secretsmanager:eu-test-1:000000000000:secret:";

test("a secret is found by its name or by an ARN", () => {
  assert.equal(secretValue(secrets, "plain"), "text");
  assert.equal(secretValue(secrets, "arn:aws:ssm:eu-test-1:000000000000:parameter/plain"), "text");
  assert.equal(secretValue(secrets, `${manager}plain-Ab3dEf`), "text");
  assert.equal(secretValue(secrets, `${manager}plain`), "text");
  assert.equal(secretValue(secrets, `${manager}rotated-abcdef`), "by its whole name");
  assert.equal(secretValue(secrets, `${manager}shop/db-Ab3dEf:user::`), "web");
  assert.equal(secretValue(secrets, `${manager}shop/db-Ab3dEf:port::`), "3306");
});

test("what is not there is not made up", () => {
  assert.equal(secretValue(secrets, "absent"), undefined);
  assert.equal(secretValue(secrets, `${manager}shop/db-Ab3dEf:password::`), undefined);
  assert.equal(secretValue(secrets, `${manager}plain-Ab3dEf:user::`), undefined, "no JSON");
  assert.equal(secretValue(secrets, `${manager}shop/db:constructor::`), undefined);
  assert.equal(secretValue(secrets, "arn:aws:s3:::plain"), undefined);
});

test("an environment file is taken as it stands", () => {
  const text = '# comment\n\nA=1\n  B = two words \nC="q"=x\r\nno value\n=none\nD=\n';
  assert.deepEqual(parseEnvironment(text), [
    { name: "A", value: "1" },
    { name: "B ", value: " two words " },
    { name: "C", value: '"q"=x' },
    { name: "D", value: "" },
  ]);
});
