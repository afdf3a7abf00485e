// SPDX-License-Identifier: Apache-2.0

package station

import (
	"fmt"
	"strconv"
	"strings"
)

// heapProfile is the desktop heap of every kind of desktop, in KB (DT-22, DT-23).
type heapProfile struct {
	shared         uint32 // a: shared heap of the session
	interactive    uint32 // b: desktops of WinSta0
	nonInteractive uint32 // c: desktops of other stations
	winlogon       uint32
	disconnect     uint32
	sessionTotal   uint32
}

var heapProfiles = map[string]heapProfile{
	"xp":      {1024, 3072, 512, 128, 64, 49152},
	"vista32": {1024, 12288, 512, 128, 64, 524288},
	"x64":     {1024, 20480, 768, 192, 96, 524288},
	"safe":    {1024, 512, 128, 128, 64, 20480},
}

const (
	minHeapKB = 64
	maxHeapKB = 65536

	// Charges in bytes (DT-28); those of windows and hooks are in window.go.
	chargeDesktop = 8192
	chargeThread  = 512
)

// parseHeap reads a profile name or a SharedSection triple a,b,c or pair a,b,
// where c = b (DT-23). The rest of a triple's figures are those of x64.
func parseHeap(s string, total uint32) (heapProfile, error) {
	if s == "" {
		s = "x64"
	}
	p, ok := heapProfiles[s]
	if !ok {
		parts := strings.Split(s, ",")
		if len(parts) < 2 || len(parts) > 3 {
			return heapProfile{}, fmt.Errorf("cannot read desktop heap %q: want x64, xp, vista32, safe or a,b,c in KB", s)
		}
		var n [3]uint32
		for i, part := range parts {
			v, err := strconv.ParseUint(strings.TrimSpace(part), 10, 32)
			if err != nil || i > 0 && (v < minHeapKB || v > maxHeapKB) {
				return heapProfile{}, fmt.Errorf("cannot read desktop heap %q: %q is not a size from %d to %d KB", s, part, minHeapKB, maxHeapKB)
			}
			n[i] = uint32(v)
		}
		if len(parts) == 2 {
			n[2] = n[1]
		}
		p = heapProfiles["x64"]
		p.shared, p.interactive, p.nonInteractive = n[0], n[1], n[2]
	}
	if total != 0 {
		p.sessionTotal = total
	}
	// Default, Screen-saver, Winlogon and Disconnect come with every session.
	if need := 2*p.interactive + p.winlogon + p.disconnect; p.sessionTotal < need {
		return heapProfile{}, fmt.Errorf("cannot use a session heap of %d KB: the desktops of WinSta0 alone take %d KB", p.sessionTotal, need)
	}
	return p, nil
}

// sizeFor gives the heap of a new desktop in KB, from the size its maker asked
// for or the default of its place (DT-22, DT-24).
func (p heapProfile) sizeFor(asked uint32, interactive bool, name string) uint32 {
	switch {
	case asked != 0:
		return asked
	case interactive && name == winlogonName:
		return p.winlogon
	case interactive && name == disconnectName:
		return p.disconnect
	case interactive:
		return p.interactive
	}
	return p.nonInteractive
}

// chargeLocked takes n bytes of the desktop's heap and reports whether there
// was room. The event of a full heap is published once a minute (DT-27).
func (d *Desktop) chargeLocked(n uint32) bool {
	s := d.station.session
	s.mu.AssertHeld()
	if uint64(d.heapUsed)+uint64(n) <= uint64(d.heapKB)*1024 {
		d.heapUsed += n
		return true
	}
	now := s.engine.now()
	if d.exhausted.IsZero() || now.Sub(d.exhausted) >= heapEventEvery {
		d.exhausted = now
		s.engine.publish(EventHeapExhausted, s.id, "number", "243", "station", d.station.name, "desktop", d.name,
			"usedBytes", strconv.FormatUint(uint64(d.heapUsed), 10), "heapKB", strconv.FormatUint(uint64(d.heapKB), 10))
	}
	return false
}

// refundLocked gives n bytes back.
func (d *Desktop) refundLocked(n uint32) {
	d.station.session.mu.AssertHeld()
	if n > d.heapUsed {
		panic(fmt.Sprintf("station: %d bytes of desktop heap given back, %d taken", n, d.heapUsed))
	}
	d.heapUsed -= n
}
