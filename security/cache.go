// SPDX-License-Identifier: Apache-2.0

package security

import (
	"sync/atomic"

	"stationmaster/win32"
)

// decisionSlots is the size of a token's cache, a power of two. A process
// opens few objects again and again; 32 pointers are 256 bytes a token.
const decisionSlots = 32

// decisionCache keeps what Check decided for one token. A decision depends on
// nothing but the token, which is immutable, the descriptor, which is immutable
// and named by its generation, the mask and the mapping, so entries never
// become wrong: there is nothing to invalidate. Entries hold no descriptor.
type decisionCache struct {
	slots [decisionSlots]atomic.Pointer[cachedDecision]
}

// cachedDecision is immutable once published.
type cachedDecision struct {
	generation uint64
	mapping    Mapping
	desired    win32.AccessMask
	granted    win32.AccessMask
	err        error
}

func decisionSlot(generation uint64, desired win32.AccessMask) int {
	h := (generation ^ uint64(desired)<<32 ^ uint64(desired)) * 0x9E3779B97F4A7C15
	return int(h >> 59) // decisionSlots == 1<<5
}

// find gives the entry, or nil. A nil mapping is never cached.
func (c *decisionCache) find(generation uint64, desired win32.AccessMask, m *Mapping) *cachedDecision {
	e := c.slots[decisionSlot(generation, desired)].Load()
	if e == nil || e.generation != generation || e.desired != desired || m == nil || e.mapping != *m {
		return nil
	}
	return e
}

// store replaces whatever is in the entry's slot.
func (c *decisionCache) store(generation uint64, desired win32.AccessMask, m *Mapping, granted win32.AccessMask, err error) {
	if m == nil {
		return
	}
	c.slots[decisionSlot(generation, desired)].Store(&cachedDecision{generation, *m, desired, granted, err})
}
