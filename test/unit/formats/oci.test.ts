import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../../src/base/errors.ts";
import {
  decodeImageConfig,
  decodeIndex,
  decodeManifest,
  maxDocument,
  mediaType,
} from "../../../src/formats/oci.ts";
import { formatReference, isDigest, parseReference, tagName } from "../../../src/formats/oci-reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

test("references in all their forms are parsed and written back", () => {
  const cases: [string, string | undefined, string, string | undefined, string | undefined][] = [
    ["billing", undefined, "billing", undefined, undefined],
    ["billing:1", undefined, "billing", "1", undefined],
    ["team/billing:1.2_x-y", undefined, "team/billing", "1.2_x-y", undefined],
    ["localhost/billing", "localhost", "billing", undefined, undefined],
    ["localhost:5000/a/b:t", "localhost:5000", "a/b", "t", undefined],
    ["[::1]:5000/a", "[::1]:5000", "a", undefined, undefined],
    ["registry.example.org/a__b/c-d.e", "registry.example.org", "a__b/c-d.e", undefined, undefined],
    [`billing@${digest}`, undefined, "billing", undefined, digest],
    [`r.example:80/b:1@${digest}`, "r.example:80", "b", "1", digest],
  ];
  for (const [text, registry, repository, tag, found] of cases) {
    assert.deepEqual(parseReference(text), { registry, repository, tag, digest: found });
    assert.equal(formatReference(parseReference(text)), text);
  }
  assert.equal(tagName(parseReference("billing")), "billing:latest");
});

test("what is no reference is refused, with the part that is wrong", () => {
  const bad = [
    ["", "no name"],
    ["Billing", '"Billing"'],
    ["a//b", '""'],
    ["a/../b", '".."'],
    ["a:", '""'],
    ["a:-x", '"-x"'],
    [`a:${"t".repeat(129)}`, "not a tag"],
    ["a@sha256:12", '"sha256:12"'],
    ["a@md5:00", "not a digest"],
    ["-a", '"-a"'],
    ["a b", '"a b"'],
    ["http://r.example/a", '"http:"'],
    ["a".repeat(256), "255"],
    ["r.example:999999/a", "not a host"],
    ["../../etc/passwd", '".."'],
  ];
  for (const [text = "", part = ""] of bad) {
    assert.throws(
      () => parseReference(text),
      (error) => isTranshipError(error, "E_REFERENCE_INVALID") && error.message.includes(part),
      text,
    );
  }
});

test("digests are lower-case hex of the right length", () => {
  assert.ok(isDigest(digest) && isDigest(`sha512:${"0".repeat(128)}`));
  for (const text of [
    `sha256:${"A".repeat(64)}`,
    `sha256:${"a".repeat(63)}`,
    "sha256:../../x",
    `sha256:${"a".repeat(64)}\n`,
    5,
    null,
  ]) {
    assert.ok(!isDigest(text), String(text));
  }
});

const layer = { mediaType: mediaType.layerZstd, digest, size: 5 };
const manifest = { schemaVersion: 2, config: layer, layers: [layer] };

test("documents that are wrong are refused with the place", () => {
  const cases: [(text: string, what: string) => unknown, unknown, string][] = [
    [decodeManifest, { ...manifest, schemaVersion: 1 }, "m: schemaVersion must be 2, is 1"],
    [
      decodeManifest,
      { ...manifest, layers: [layer, { ...layer, digest: "../x" }] },
      'm: layers[1].digest must be a digest, is "../x"',
    ],
    [
      decodeManifest,
      { ...manifest, layers: [{ ...layer, size: -1 }] },
      "m: layers[0].size must be a count of bytes, is -1",
    ],
    [decodeManifest, { ...manifest, layers: [{ ...layer, size: 1e300 }] }, "m: layers[0].size must be"],
    [decodeManifest, { ...manifest, layers: {} }, "m: layers must be a list, is {}"],
    [decodeManifest, { schemaVersion: 2, layers: [] }, "m: config must be an object, is missing"],
    [decodeManifest, { ...manifest, subject: [] }, "m: subject must be an object"],
    [decodeManifest, { ...manifest, annotations: { a: 1 } }, 'm: annotations["a"] must be a text, is 1'],
    [decodeIndex, { schemaVersion: 2, manifests: [5] }, "m: manifests[0] must be an object, is 5"],
    [
      decodeImageConfig,
      { architecture: "amd64", os: "linux", rootfs: { type: "x" } },
      'm: rootfs.type must be "layers", is "x"',
    ],
    [
      decodeImageConfig,
      { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [1] } },
      "m: rootfs.diff_ids[0] must be a digest, is 1",
    ],
    [
      decodeImageConfig,
      {
        architecture: "amd64",
        os: "linux",
        config: { Env: ["a", 1] },
        rootfs: { type: "layers", diff_ids: [] },
      },
      "m: config.Env[1] must be a text",
    ],
  ];
  for (const [decode, value, message] of cases) {
    assert.throws(
      () => decode(JSON.stringify(value), "m"),
      (error) => isTranshipError(error, "E_IMAGE_CORRUPT") && error.message.startsWith(message),
      message,
    );
  }
  assert.throws(
    () => decodeManifest("{", "m"),
    (error) => isTranshipError(error, "E_IMAGE_CORRUPT"),
  );
});

test("documents that are too large, too long or too deep end in an error", () => {
  const limit = (error: unknown): boolean => isTranshipError(error, "E_LIMIT");
  assert.throws(() => decodeManifest(" ".repeat(maxDocument + 1), "m"), limit);
  assert.throws(
    () => decodeManifest(JSON.stringify({ ...manifest, layers: Array(1001).fill(layer) }), "m"),
    limit,
  );
  assert.throws(
    () => decodeIndex("[".repeat(1_000_000), "m"),
    (error) => isTranshipError(error),
  );
});

test("the nulls that docker writes count as absent", () => {
  const text =
    '{"architecture":"amd64","os":"linux","config":{"Env":null,"Cmd":["a"],"Volumes":null},"history":null,"rootfs":{"type":"layers","diff_ids":[]}}';
  const config = decodeImageConfig(text, "c");
  assert.deepEqual(config.config, { Cmd: ["a"] });
  assert.equal(config.history, undefined);
});
