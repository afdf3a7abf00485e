/* SPDX-License-Identifier: Apache-2.0 */
/* User profiles and environments. */
#ifndef STATION_USERENV_H
#define STATION_USERENV_H

#include "winbase.h"

STATION_BEGIN

typedef struct _PROFILEINFOA { DWORD dwSize, dwFlags; LPSTR lpUserName, lpProfilePath, lpDefaultPath, lpServerName, lpPolicyPath; HANDLE hProfile; } PROFILEINFOA, *LPPROFILEINFOA;
typedef struct _PROFILEINFOW { DWORD dwSize, dwFlags; LPWSTR lpUserName, lpProfilePath, lpDefaultPath, lpServerName, lpPolicyPath; HANDLE hProfile; } PROFILEINFOW, *LPPROFILEINFOW;

STATION_END

#include "station_decl/userenv.h"

#endif
