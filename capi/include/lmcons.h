/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_LMCONS_H
#define STATION_LMCONS_H

#include "windef.h"

#define UNLEN 256
#define PWLEN 256
#define CNLEN 15
#define DNLEN CNLEN

#endif
