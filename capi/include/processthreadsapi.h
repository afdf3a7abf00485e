/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_PROCESSTHREADSAPI_H
#define STATION_PROCESSTHREADSAPI_H

#include "windows.h"

#endif
