/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_TLHELP32_H
#define STATION_TLHELP32_H

#include "windows.h"

#endif
