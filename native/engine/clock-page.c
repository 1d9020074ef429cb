// SPDX-License-Identifier: Apache-2.0
#include "clock-page.h"
#include "sys.h"

static struct clock_page own;

const struct clock_page *clock_page_open(const char *file)
{
	long fd = SYS(__NR_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0), at;
	const struct clock_page *page;
	struct file_status st;

	if (fd < 0)
		return NULL;
	at = SYS(__NR_fstat, fd, &st) < 0 || st.size < (long)PAGE ? -EINVAL :
	     SYS(__NR_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	SYS(__NR_close, fd);
	if (IS_ERROR(at))
		return NULL;
	page = (const struct clock_page *)at;
	return page->magic == CLOCK_PAGE_MAGIC ? page : NULL;
}

const struct clock_page *clock_page_of(const struct app_clock *c)
{
	own.now[0].clock = *c;
	clock_split(clock_clamp((__int128)c->app_base - c->kernel_base),
		    &own.now[0].offset_s, &own.now[0].offset_ns);
	return &own;
}
