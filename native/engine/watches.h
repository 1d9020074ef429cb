/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_WATCHES_H
#define TRANSHIP_ENGINE_WATCHES_H

#include "dispatch.h"

call_fn call_inotify_add_watch;

#endif
