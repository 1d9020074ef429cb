/* SPDX-License-Identifier: Apache-2.0 */
/* A process of a service, in its surroundings: its main one, its stop command,
 * what asks whether it is ready. */
#ifndef TRANSHIP_INIT_SERVICE_LAUNCH_H
#define TRANSHIP_INIT_SERVICE_LAUNCH_H

#include "service.h"

/**
 * service_launch() - As the service's user
 * @main:	What has its sockets and its readiness.log
 * @error:	Gets the exit status that stands for a failure
 *
 * Return: its pid, or -1
 */
pid_t service_launch(struct service *s, const struct strings *command,
		     bool main, int *error);

#endif
