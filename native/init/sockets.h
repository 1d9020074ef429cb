/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that services are given instead of opening them: what systemd's
 * socket units and inetd do. All are opened before the first service starts
 * and stay open until the end, so that who connects before a service is ready
 * or while it is started again is kept waiting and not turned away.
 */
#ifndef TRANSHIP_INIT_SOCKETS_H
#define TRANSHIP_INIT_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "environment.h"
#include "plan.h"
#include "spawn.h"

/**
 * sockets_open() - Open the sockets of all services that start by themselves
 *
 * Return: whether all are there; else it has complained
 */
bool sockets_open(const struct plan *plan);

/**
 * sockets_hand() - What a service's program is given
 * @handed:	Filled; its count is 0 and its input -1 where it is given none
 * @env:	Gets LISTEN_FDS, LISTEN_FDNAMES and room for LISTEN_PID
 */
void sockets_hand(const struct plan *plan, const struct service_plan *service,
		  struct handed *handed, struct environment *env);

#endif
