// SPDX-License-Identifier: Apache-2.0
#include "order.h"
#include "talk.h"

void order_start(const struct service *services, struct service *s)
{
	size_t i;

	for (i = 0; i < s->is->after_count; i++) {
		const struct service *d = &services[s->is->after[i]];

		if (d->state == STATE_IDLE || d->was_ready)
			continue;
		if (d->state != STATE_FAILED && d->state != STATE_EXITED)
			return;
		complain("service %s is not started: %s, which it needs, "
			 "failed", s->is->name, d->is->name);
		s->state = STATE_FAILED;
		s->given_up = true;
		s->status = d->status ? d->status : 125;
		services_changed = true;
		return;
	}
	service_start(s);
}

static bool down(const struct service *s)
{
	return !service_alive(s) && s->state != STATE_WAITING &&
		s->state != STATE_BACKOFF;
}

/* Whether all that started after @self have stopped. */
static bool unneeded(const struct service *services, size_t count, size_t self)
{
	size_t i, j;

	for (i = self + 1; i < count; i++) {
		const struct service *s = &services[i];

		if (down(s))
			continue;
		for (j = 0; j < s->is->after_count; j++)
			if (s->is->after[j] == self)
				return false;
	}
	return true;
}

bool order_stop(struct service *services, size_t count)
{
	bool any = false;
	size_t i;

	for (i = count; i-- > 0;) {
		struct service *s = &services[i];

		if (unneeded(services, count, i))
			service_stop(s);
		any = any || !down(s);
	}
	return any;
}
