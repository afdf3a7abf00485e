/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATION_NTLSA_H
#define STATION_NTLSA_H

#include "ntsecapi.h"

#endif
