/* SPDX-License-Identifier: Apache-2.0 */
/* Which file the code at an address is from: for known-sites.c. */
#ifndef TRANSHIP_ENGINE_CODE_FILES_H
#define TRANSHIP_ENGINE_CODE_FILES_H

#include "sys.h"

struct code_file {
	uint64_t id;		/* program_identity(); 0 = none */
	unsigned long start, end;
	unsigned long base;	/* what its offsets are counted from */
	unsigned int traps;	/* of calls that stand there, so far */
};

/* code_files_note() - from @start to @end lies code of the file @id. The lock of
 * patch.c is held, or there is one thread. */
void code_files_note(uint64_t id, unsigned long base, unsigned long start,
		     unsigned long end);
/* code_file_at() - what is mapped at @address; NULL = unknown. The lock is held. */
struct code_file *code_file_at(unsigned long address);
/* code_file_is_mapped() - whether the file @id is. The lock is held. */
bool code_file_is_mapped(uint64_t id);
/* code_files_add() - from here on what the program maps is noted. */
void code_files_add(void);

#endif
