// The old machines of the tests: made once by demo/build-base and demo/build-source, kept outside of the checkout.
import { join } from "node:path";

const cache = process.env.TRANSHIP_CACHE ?? "/var/cache/tranship";

/** Plain Debian 11 as debootstrap makes it. Read only. */
export const debian11 = join(cache, "debian-11/root");

/** Debian 11 with Apache, PHP, MariaDB and the guest book. Read only. */
export const lamp = join(cache, "demo-lamp/root");

/** A path in the cache. */
export const cacheOf = (name: string): string => join(cache, name);
