/* SPDX-License-Identifier: Apache-2.0 */
/* Text: UTF-8 and UTF-16 (ABI-40). */
#ifndef STATION_WINNLS_H
#define STATION_WINNLS_H

#include "winbase.h"

#define CP_ACP 0u
#define CP_OEMCP 1u
#define CP_UTF8 65001u
#define MB_PRECOMPOSED 0x1u
#define MB_ERR_INVALID_CHARS 0x8u
#define WC_ERR_INVALID_CHARS 0x80u

#include "station_decl/winnls.h"

#endif
