import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLogrotate } from "../../../src/formats/logrotate.ts";

test("logrotate: files before a block, scripts in it, what compresses", () => {
  const read = parseLogrotate(
    [
      "# /not/a/rule {",
      "weekly",
      "include /etc/logrotate.d",
      '/var/log/shop/*.log "/srv/with space/log"',
      "/var/log/more {",
      "  compress",
      "  compresscmd /usr/bin/xz",
      "  su root adm",
      "  olddir /var/log/old",
      "  postrotate",
      "    if [ -f /run/shop.pid ]; then { kill -USR1 $(cat /run/shop.pid); }; fi",
      "  endscript",
      "}",
      "/var/log/last { daily }",
    ].join("\n"),
  );
  assert.deepEqual(read, {
    files: ["/var/log/shop/*.log", "/srv/with space/log", "/var/log/more", "/var/log/last"],
    scripts: "    if [ -f /run/shop.pid ]; then { kill -USR1 $(cat /run/shop.pid); }; fi\n",
    compresses: true,
    programs: ["/usr/bin/xz"],
  });
  assert.deepEqual(parseLogrotate("nocompress\n").compresses, false);
  assert.deepEqual(parseLogrotate("postrotate\nnever ends").scripts, "never ends\n");
});
