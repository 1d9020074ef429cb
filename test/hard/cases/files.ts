// Hard cases of files: what a copy of a tree by ordinary tools loses, and what a trace has to see to take it along.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packingListPath } from "../../../src/formats/packing-list.ts";
import { openStore } from "../../../src/image/store.ts";
import { unpackedLayer } from "../../../src/image/unpack.ts";
import type { HardCase } from "../../support/hard-case.ts";

export const filesCases: readonly HardCase[] = [
  {
    name: "listing",
    title: "a directory is listed and one of its files opened",
    machine: (machine) =>
      machine.text({ "srv/list/one": "first\n", "srv/list/two": "second\n", "srv/list/three": "third\n" }),
    closureOnly: true,
    unwatched: [["/usr/bin/listing", "all"]],
    doctored: [
      {
        what: "a name without its content",
        layer: "mkdir -p srv/list; touch srv/list/two",
        says: /error: \/srv\/list\/two had 7 bytes and has 0/,
        programPasses: true,
      },
      {
        what: "a lost name",
        layer: "mkdir -p srv/list; touch srv/list/.wh.three",
        says: /error: \/srv\/list\/three was packed and is gone/,
      },
    ],
  },
  {
    name: "looked-at",
    title: "files that are only looked at",
    machine: (machine) =>
      machine.shell(`mkdir -m 711 -p srv/seen/dir; cd srv/seen; ln -s file link
        for name in file statx plain late; do echo text >$name; done; echo >program
        chmod 640 file; chmod 604 statx; chmod 755 program; chmod 644 plain late; chmod 711 dir`),
    doctored: [
      {
        what: "a mode that is lost",
        layer: "mkdir -p srv/seen; cp -p $MACHINE/srv/seen/program srv/seen; chmod 644 srv/seen/program",
        says: /error: \/srv\/seen\/program was packed with the mode 0755 and has 0644/,
      },
      {
        what: "a directory that became a file",
        layer: "mkdir -p srv/seen; touch srv/seen/dir",
        says: /error: \/srv\/seen\/dir was packed as a directory and is a file/,
      },
    ],
  },
  {
    name: "absent",
    title: "files that are looked for and absent",
    machine: (machine) =>
      machine.shell(`mkdir -p etc/hard/override.d srv/real usr/local/bin; ln -s /srv/real etc/alias
        echo main >etc/hard/main.conf; echo real >srv/real/main.conf; printf '#!/bin/sh\\n' >usr/bin/helper; chmod 755 usr/bin/helper`),
    doctored: [
      {
        what: "a file that a base layer adds",
        base: true,
        layer: "mkdir -p etc/hard; echo x >etc/hard/override.conf",
        says: /error: \/etc\/hard\/override.conf was looked for and absent while the application was watched, and is there now/,
      },
      {
        what: "one that is reached through a link",
        base: true,
        layer: "mkdir -p srv/real; echo x >srv/real/linked.conf",
        says: /error: \/etc\/alias\/linked.conf was looked for and absent/,
      },
      {
        what: "a program that comes first in the search path",
        layer:
          "mkdir -p usr/local/bin; printf '#!/bin/sh\\nexit 3\\n' >usr/local/bin/helper; chmod 755 usr/local/bin/helper",
        says: /error: \/usr\/local\/bin\/helper was looked for and absent/,
      },
    ],
  },
  {
    name: "links",
    title: "symbolic links",
    machine: (machine) =>
      machine.shell(`mkdir -p srv/links/real; cd srv/links; echo "at the end" >real/file; ln -s second first; ln -s ../links/real second
        ln -s /srv/links/first/file absolute; ln -s /does/not/exist nowhere; ln -s real/.//file odd`),
    doctored: [
      {
        what: "a link whose target was tidied up",
        layer: "mkdir -p srv/links; ln -s real/file srv/links/odd",
        says: /error: \/srv\/links\/odd led to real\/\.\/\/file and leads to real\/file/,
      },
      {
        what: "a link that became a copy",
        layer: 'mkdir -p srv/links; echo "at the end" >srv/links/absolute',
        says: /error: \/srv\/links\/absolute was packed as a symlink and is a file/,
      },
      {
        what: "a dangling link that was dropped",
        layer: "mkdir -p srv/links; touch srv/links/.wh.nowhere",
        says: /error: \/srv\/links\/nowhere was packed and is gone/,
      },
    ],
  },
  {
    name: "hard-links",
    title: "two names of one file",
    machine: (machine) =>
      machine.shell(`mkdir -p etc/pair srv/pair; head -c 3000000 /dev/urandom >etc/pair/here; chmod 600 etc/pair/here
        ln etc/pair/here srv/pair/there`),
    packed: async ({ fixture, reference }) => {
      const { layers } = openStore(fixture.root).image(reference);
      const stored = layers.reduce((sum, layer) => sum + layer.descriptor.size, 0);
      const one = 3_000_000;
      // The rest of this machine is busybox and the C library.
      assert.ok(stored < 2 * one + 3_000_000, `${stored} bytes are stored`);
    },
    doctored: [
      {
        what: "a name that became a file of its own",
        layer: "mkdir -p srv/pair; cp -p $MACHINE/srv/pair/there srv/pair/there",
        says: /error: \/srv\/pair\/there was another name of \/etc\/pair\/here and is a file of its own/,
      },
    ],
  },
  {
    name: "attributes",
    title: "extended attributes, access lists and file capabilities",
    machine: (machine) => {
      machine.shell(`mkdir -p srv/attr/inherits; cd srv/attr; echo x >note; echo x >acl; echo x >inherits/file
        setfattr -n user.note -v kept note; setfattr -n user.bytes -v 0x00ff0a note
        setfacl -m u:1234:r,g:55:rw acl; setfacl -d -m u:1234:rx inherits`);
      machine.compile("attributes", "srv/attr/server");
      machine.shell("setcap cap_net_bind_service=+ep srv/attr/server");
    },
    doctored: [
      {
        what: "a lost attribute",
        layer:
          "mkdir -p srv/attr; cp -p --preserve=xattr $MACHINE/srv/attr/note srv/attr; setfattr -x user.bytes srv/attr/note",
        says: /error: \/srv\/attr\/note has lost the extended attribute user.bytes/,
      },
      {
        what: "a lost access list",
        layer:
          "mkdir -p srv/attr; cp --preserve=mode,timestamps $MACHINE/srv/attr/acl srv/attr; setfacl -b srv/attr/acl",
        says: /error: \/srv\/attr\/acl has lost the extended attribute system.posix_acl_access/,
      },
      {
        what: "a lost capability",
        layer: "mkdir -p srv/attr; cp -p --no-preserve=xattr $MACHINE/srv/attr/server srv/attr",
        says: /error: \/srv\/attr\/server has lost the extended attribute security.capability/,
      },
    ],
  },
  {
    name: "owners",
    title: "owners, modes and a set-user-ID program",
    machine: (machine) => {
      machine.shell(`mkdir -p srv/own/sticky srv/own/group; cd srv/own; echo x >file; echo x >large; echo "only for root" >secret-ish
        chmod 600 secret-ish large; chown 1234:1234 file; chmod 640 file; chmod 1777 sticky; chown 0:1234 group; chmod 2775 group
        chown 100000:4000000000 large`);
      machine.compile("owners", "srv/own/gain");
      machine.shell("chown 0:55 srv/own/gain; chmod 6755 srv/own/gain");
    },
    doctored: [
      {
        what: "a lost owner",
        layer: "mkdir -p srv/own; cp -p $MACHINE/srv/own/file srv/own; chown 0:0 srv/own/file",
        says: /error: \/srv\/own\/file belonged to 1234:1234 and belongs to 0:0/,
      },
      {
        what: "a lost set-user-ID bit",
        layer: "mkdir -p srv/own; cp -p $MACHINE/srv/own/gain srv/own; chmod 755 srv/own/gain",
        says: /error: \/srv\/own\/gain was packed with the mode 6755 and has 0755/,
      },
      {
        what: "the mode of a directory",
        layer: "mkdir -p srv/own/sticky; chmod 755 srv/own/sticky",
        says: /error: \/srv\/own\/sticky was packed with the mode 1777 and has 0755/,
      },
    ],
  },
  {
    name: "sparse",
    title: "a file that is mostly a hole",
    machine: (machine) =>
      machine.shell(`truncate -s 64M srv/sparse; printf start | dd of=srv/sparse conv=notrunc status=none
        printf end | dd of=srv/sparse conv=notrunc oflag=seek_bytes seek=$((64 * 1048576 - 3)) status=none`),
    packed: async ({ fixture, reference }) => {
      const { layers } = openStore(fixture.root).image(reference);
      const own = unpackedLayer(fixture.root, layers.at(-1)?.diffId ?? "sha256:") ?? "";
      const list = readFileSync(join(own, packingListPath), "utf8");
      const [data] = /\t67108864\t(\d+)\t[0-9a-f]+\t\/srv\/sparse$/m.exec(list)?.slice(1) ?? [];
      assert.ok(Number(data) < 1 << 20, `${data} bytes of data are in the package`);
    },
    doctored: [
      {
        what: "a hole that was filled with zeros",
        layer: "mkdir srv; cp --sparse=never -p $MACHINE/srv/sparse srv",
        says: /error: \/srv\/sparse had \d+ bytes of data beside its holes and has 67108864/,
      },
    ],
  },
];
