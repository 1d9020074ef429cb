// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "options.h"

static char *take(char ***args)
{
	char *word = **args;

	if (!word)
		die("a word is missing at the end of the options");
	(*args)++;
	return word;
}

static struct pair take_pair(char ***args)
{
	struct pair p;

	p.first = take(args);
	p.second = take(args);
	return p;
}

static void add_pair(struct pairs *pairs, char ***args)
{
	if (pairs->count == PAIRS_MAX)
		die("too many options of one kind");
	pairs->list[pairs->count++] = take_pair(args);
}

static void add_word(struct words *words, char ***args)
{
	if (words->count == WORDS_MAX)
		die("too many words of one command");
	words->list[words->count++] = take(args);
}

static off_t take_size(char ***args)
{
	const char *word = take(args);
	char *end;
	long long size;

	errno = 0;
	size = strtoll(word, &end, 10);
	if (end == word || *end || errno || size < 0)
		die("not a size: %s", word);
	return size;
}

static void parse_one(struct config *c, const char *name, char ***args)
{
	if (strcmp(name, "--null-stdin") == 0) {
		c->null_stdin = true;
	} else if (strcmp(name, "--ahead") == 0) {
		c->ahead = true;
	} else if (strcmp(name, "--environment") == 0) {
		/* Without "=" it is removed. */
		if (putenv(take(args)) != 0)
			die_errno("putenv");
	} else if (strcmp(name, "--directory") == 0) {
		c->directory = take_pair(args);
	} else if (strcmp(name, "--environment-file") == 0) {
		c->environment = take(args);
	} else if (strcmp(name, "--user") == 0) {
		c->user = take(args);
	} else if (strcmp(name, "--confine") == 0) {
		c->confine = take_pair(args);
	} else if (strcmp(name, "--bound") == 0) {
		c->bound = true;
	} else if (strcmp(name, "--become") == 0) {
		c->become = true;
	} else if (strcmp(name, "--main-file") == 0) {
		c->main_file = take(args);
	} else if (strcmp(name, "--empty") == 0) {
		c->empty = take(args);
	} else if (strcmp(name, "--hand-over") == 0) {
		add_word(&c->hand_over, args);
	} else if (strcmp(name, "--gone") == 0) {
		if (c->gone_count >= sizeof(c->gone) / sizeof(c->gone[0]))
			die("--gone: too many");
		c->gone[c->gone_count++] = take(args);
	} else if (strcmp(name, "--spoke") == 0) {
		c->spoke = take(args);
	} else if (strcmp(name, "--only") == 0) {
		add_pair(&c->only, args);
	} else if (strcmp(name, "--small") == 0) {
		c->small = take(args);
		c->small_size = take_size(args);
	} else if (strcmp(name, "--set-aside") == 0) {
		c->set_aside = take_pair(args);
	} else if (strcmp(name, "--note") == 0) {
		c->events = take(args);
		c->heads = take_pair(args);
	} else if (strcmp(name, "--free") == 0) {
		add_pair(&c->free, args);
	} else if (strcmp(name, "--used") == 0) {
		c->used = take_pair(args);
	} else if (strcmp(name, "--waiter") == 0) {
		c->waiter = take(args);
	} else if (strcmp(name, "--idle") == 0) {
		add_word(&c->idle, args);
	} else {
		die("unknown option: %s", name);
	}
}

void parse_options(struct config *c, char **args)
{
	while (*args && strcmp(*args, "--") != 0) {
		const char *name = take(&args);

		parse_one(c, name, &args);
	}
	if (!*args || !args[1])
		die("expected: OPTIONS -- COMMAND");
	c->argv = args + 1;
	if (c->hand_over.count == 0 && !c->become)
		die("--hand-over is missing");
	if (c->set_aside.first && (c->gone_count == 0 || !c->spoke))
		die("--set-aside needs --gone and --spoke");
	if (c->used.first && (!c->waiter || c->idle.count == 0))
		die("--used needs --waiter and --idle");
}
