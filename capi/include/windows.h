/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Win32 names of Stationmaster. A program written against these functions
 * is recompiled, not rewritten: include this, link with -lstation. What each
 * function does is written in docs/spec; the conventions that all of them share
 * in docs/spec/cabi.md.
 */
#ifndef STATION_WINDOWS_H
#define STATION_WINDOWS_H

#include "windef.h"
#include "winnt.h"
#include "winerror.h"
#include "winbase.h"
#include "winuser.h"
#include "winnls.h"
#ifndef WIN32_LEAN_AND_MEAN
#include "winsvc.h"
#endif

#endif
