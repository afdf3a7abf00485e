/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_WINGDI_H
#define STATION_WINGDI_H

#include "winuser.h"

#endif
