/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_WINREG_H
#define STATION_WINREG_H

#include "windows.h"

#endif
