/* SPDX-License-Identifier: Apache-2.0 */
/* Each program prints one line a check: "ok NAME" or "FAIL NAME: what". */
#ifndef CHECK_H
#define CHECK_H

#include <station.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK 0xBADCAFEu

static int failures __attribute__((unused));
static const char *current __attribute__((unused)) = "";

#define BEGIN(name) (current = (name), failures = 0)
#define END() do { if (!failures) printf("ok %s\n", current); fflush(stdout); } while (0)
#define WANT(cond) do { \
		if (!(cond)) { \
			failures++; \
			printf("FAIL %s: line %d: %s (last error %u: %s)\n", current, __LINE__, #cond, GetLastError(), station_last_error_text()); \
		} \
	} while (0)
/* FAILS: the call fails with that number. KEEPS: it succeeds and leaves the last error alone. */
#define FAILS(code, call) do { \
		SetLastError(MARK); \
		if (call) { \
			failures++; \
			printf("FAIL %s: line %d: %s succeeds\n", current, __LINE__, #call); \
		} else if (GetLastError() != (DWORD)(code)) { \
			failures++; \
			printf("FAIL %s: line %d: %s gives %u, want %u\n", current, __LINE__, #call, GetLastError(), (DWORD)(code)); \
		} \
	} while (0)
#define KEEPS(call) do { \
		SetLastError(MARK); \
		if (!(call)) { \
			failures++; \
			printf("FAIL %s: line %d: %s: %s\n", current, __LINE__, #call, station_last_error_text()); \
		} else if (GetLastError() != MARK) { \
			failures++; \
			printf("FAIL %s: line %d: %s changes the last error to %u\n", current, __LINE__, #call, GetLastError()); \
		} \
	} while (0)

#endif
