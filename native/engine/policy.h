/* SPDX-License-Identifier: Apache-2.0 */
/* What the application's world is: from switches, or from a policy table. */
#ifndef TRANSHIP_ENGINE_POLICY_H
#define TRANSHIP_ENGINE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "clock-math.h"

#define UTS_SIZE 65	/* __NEW_UTS_LEN + 1 */

struct policy {
	bool clock_on;
	struct app_clock clock;
	/* Empty where it is the kernel's. */
	char node[UTS_SIZE], domain[UTS_SIZE], release[UTS_SIZE],
		version[UTS_SIZE], machine[UTS_SIZE];
	bool mac_on;
	unsigned char mac[6];
	bool loopback;		/* fast, of TCP over AF_UNIX */
	bool vsyscall;		/* answered also where the page executes */
	bool allow_set_id;	/* such programs start, without the change */
	bool leave;		/* what it cannot run is the kernel's */
};

#endif
