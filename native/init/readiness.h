/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a started service is ready, without it noticing the question:
 * ports are looked up in /proc/net, and only connected to where that is not
 * there. */
#ifndef TRANSHIP_INIT_READINESS_H
#define TRANSHIP_INIT_READINESS_H

#include "service.h"

/* readiness_begin() - before the start: what the file is like, the pattern.
 * Return: NULL, or what is wrong with the pattern */
const char *readiness_begin(struct service *s);
/* readiness_look() - asks once; sets s->next for the next look */
void readiness_look(struct service *s, long long now);
/* readiness_probed() - readiness.exec has ended */
void readiness_probed(struct service *s, int wait_status);
/* readiness_end() - no more questions: it is ready, or has ended */
void readiness_end(struct service *s);
/* readiness_line() - a log_listener */
void readiness_line(void *service, const char *line);
/* port_listens() - whether the kernel's table @text shows it; pure */
bool port_listens(const char *text, unsigned int port);

#endif
