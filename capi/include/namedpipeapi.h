/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_NAMEDPIPEAPI_H
#define STATION_NAMEDPIPEAPI_H

#include "windows.h"

#endif
