/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_ACCESS_H
#define TRANSHIP_ENGINE_ACCESS_H

#include <stdbool.h>

/* access_effective() - what the effective user may do: 0 or -errno. */
long access_effective(const char *path, int mode);
/* is_unknown() - whether @result says that the host does not know the call: ENOSYS
 * of kernels before it, EPERM of filters that are older than it (containers). Where
 * the call itself has an EPERM, the older call that is asked then says it too. */
bool is_unknown(long result);

#endif
