// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "environment.h"

extern char **environ;

const char *environment_get(char *const *list, const char *name)
{
	size_t n = strlen(name);

	for (; *list; list++)
		if (strncmp(*list, name, n) == 0 && (*list)[n] == '=')
			return *list + n + 1;
	return NULL;
}

void environment_set(struct environment *e, const char *name,
		     const char *value)
{
	size_t n = strlen(name), m = strlen(value), i;
	char *entry = malloc(n + m + 2);

	if (e->count + 1 >= e->size) {
		e->size = 2 * e->size + 32;
		e->list = realloc(e->list, e->size * sizeof(*e->list));
	}
	if (!entry || !e->list)
		die("out of memory");
	memcpy(entry, name, n);
	entry[n] = '=';
	memcpy(entry + n + 1, value, m + 1);
	for (i = 0; i < e->count; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): below count all are set */
		if (strncmp(e->list[i], entry, n + 1) != 0)
			continue;
		free(e->list[i]);
		e->list[i] = entry;
		return;
	}
	e->list[e->count++] = entry;
	e->list[e->count] = NULL;
}

static void set_all(struct environment *e, const struct variables *v)
{
	size_t i;

	for (i = 0; i < v->count; i++)
		environment_set(e, v->list[i].name, v->list[i].value);
}

static void set_of_container(struct environment *e)
{
	char **p, name[256];

	for (p = environ; *p; p++) {
		size_t n = strcspn(*p, "=");

		if (n == 0 || n >= sizeof(name) || !(*p)[n] ||
		    strncmp(*p, "TRANSHIP_", 9) == 0)
			continue;
		memcpy(name, *p, n);
		name[n] = 0;
		environment_set(e, name, *p + n + 1);
	}
}

static bool sets(const struct variables *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->count; i++)
		if (strcmp(v->list[i].name, name) == 0)
			return true;
	return false;
}

void environment_build(struct environment *e, const struct plan *plan,
		       const struct program *program, const struct user *user)
{
	static const char *const names[] = { "HOME", "USER", "LOGNAME" };
	size_t i;

	set_all(e, &plan->env);
	set_of_container(e);
	if (program)
		set_all(e, &program->env);
	for (i = 0; user && i < 3; i++) {
		const char *value = i == 0 ? user->home : user->name;

		if (sets(&plan->env, names[i]) ||
		    (program && sets(&program->env, names[i])) ||
		    (user->uid == getuid() && getenv(names[i])) || !*value)
			continue;
		environment_set(e, names[i], value);
	}
	if (!e->list || !environment_get(e->list, "PATH"))
		environment_set(e, "PATH", DEFAULT_PATH);
}

void environment_free(struct environment *e)
{
	size_t i;

	for (i = 0; i < e->count; i++)
		free(e->list[i]);
	free(e->list);
	*e = (struct environment){ 0 };
}
