/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_SYNCHAPI_H
#define STATION_SYNCHAPI_H

#include "windows.h"

#endif
