// SPDX-License-Identifier: Apache-2.0
/* Names with a newline, spaces, bytes that are no UTF-8, and a path of 4,000 bytes. */
#include "check.h"

int main(void)
{
	char path[4100] = "/srv/odd";
	size_t n = strlen(path);

	check_text("/srv/odd/new\nline", "newline\n");
	check_text("/srv/odd/two  spaces ", "spaces\n");
	check_text("/srv/odd/\xff\xfe", "bytes\n");
	check_text("/srv/odd/back\\slash", "backslash\n");
	check_text("/srv/odd/\xe2\x80\xae" "fdp.exe", "reversed\n");
	check_text("/srv/odd/-rf *", "flags\n");
	while (n < 3990) {
		memset(path + n, 'd', 100);
		path[n] = '/';
		n += 100;
		path[n] = '\0';
	}
	strcat(path, "/leaf");
	check("a long path", access(path, R_OK) == 0);
	return check_failed;
}
