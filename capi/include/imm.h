/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_IMM_H
#define STATION_IMM_H

#include "windows.h"

#endif
