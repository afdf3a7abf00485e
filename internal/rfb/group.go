// SPDX-License-Identifier: Apache-2.0

package rfb

import (
	"image"
	"slices"
	"sync"

	"stationmaster/internal/rfb/encode"
	"stationmaster/internal/surface"
)

// Group lets viewers of one session share encoded updates: those who need the
// same rectangles of the same picture with the same settings get the same bytes,
// made once. The zero value is ready to use.
type Group struct {
	mu      sync.Mutex
	members int         // guarded by mu
	entries []*groupRow // guarded by mu; of each frame's latest version only
	made    uint64      // guarded by mu; updates encoded
	shared  uint64      // guarded by mu; updates another viewer had encoded
}

// maxRows bounds the updates kept for others: a few different settings.
const maxRows = 8

// groupRow is one update, perhaps still being made.
type groupRow struct {
	key    groupKey
	copies []surface.Copy
	rects  []image.Rectangle
	left   int           // members that may still want it; guarded by Group.mu
	done   chan struct{} // closed when u is complete
	u      encode.Update // immutable after done
}

type groupKey struct {
	frame   *surface.Frame
	version uint64
	params  encode.Params
}

// Shared gives how many updates were encoded and how many more were served from
// those.
func (g *Group) Shared() (made, shared uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.made, g.shared
}

func (g *Group) join() {
	g.mu.Lock()
	g.members++
	g.mu.Unlock()
}

func (g *Group) leave() {
	g.mu.Lock()
	g.members--
	if g.members <= 1 {
		g.entries = nil
	}
	g.mu.Unlock()
}

// encode gives the update for d, encoded now or by another viewer. It is called
// while the frame cannot change. The caller waits for done after it let go of
// the frame. It gives nil when there is nobody to share with.
func (g *Group) encode(key groupKey, img *image.RGBA, d surface.Damage) *groupRow {
	g.mu.Lock()
	if g.members <= 1 {
		g.made++
		g.mu.Unlock()
		return nil
	}
	for i, row := range g.entries {
		if row.key == key && slices.Equal(row.rects, d.Rects) && slices.Equal(row.copies, d.Copies) {
			if row.left--; row.left <= 0 {
				g.entries = slices.Delete(g.entries, i, i+1)
			}
			g.shared++
			g.mu.Unlock()
			return row
		}
	}
	row := &groupRow{key: key, copies: d.Copies, rects: d.Rects, left: g.members - 1, done: make(chan struct{})}
	g.entries = slices.DeleteFunc(g.entries, func(old *groupRow) bool {
		return old.key.frame == key.frame && old.key.version != key.version // nobody can ask for it again
	})
	if len(g.entries) == maxRows {
		g.entries = slices.Delete(g.entries, 0, 1)
	}
	g.entries = append(g.entries, row)
	g.made++
	g.mu.Unlock()
	defer close(row.done) // even if encoding panics: others must not hang
	encodeDamage(&row.u, img, d, key.params)
	return row
}

// encodeDamage makes u the update for d.
func encodeDamage(u *encode.Update, img *image.RGBA, d surface.Damage, p encode.Params) {
	u.Reset()
	for _, c := range d.Copies {
		u.Copy(c.Dst, c.Src)
	}
	for _, r := range d.Rects {
		u.Rect(img, r, p)
	}
}
