/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_SECURITYBASEAPI_H
#define STATION_SECURITYBASEAPI_H

#include "windows.h"

#endif
