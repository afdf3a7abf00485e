// SPDX-License-Identifier: Apache-2.0

package surface

import "image"

// Covered reports whether a window that takes input lies at p. Still windows
// count too: nothing under a notice can be clicked.
func (c *Compositor) Covered(p image.Point) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.layerAtLocked(p) != nil
}

// Focused reports whether a window has the keyboard, not the base.
func (c *Compositor) Focused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.focus != nil
}

// Windows is how many windows lie over the picture.
func (c *Compositor) Windows() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.layers)
}

func (c *Compositor) layerAtLocked(p image.Point) *Layer {
	for i := len(c.layers) - 1; i >= 0; i-- {
		l := c.layers[i]
		if p.In(image.Rectangle{Min: l.at, Max: l.at.Add(l.size)}) {
			return l
		}
	}
	return nil
}

// FocusBase gives the keyboard to the base, as a click beside all windows does.
func (c *Compositor) FocusBase() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setFocusLocked(nil)
}

func (c *Compositor) setFocusLocked(l *Layer) {
	if c.focus == l {
		return
	}
	old := c.focus
	c.focus = l
	if old != nil {
		clear(old.keys)
		old.redrawLocked()
	}
	if l != nil {
		l.redrawLocked()
	}
}

// Key gives a key event of a person to the window that has the keyboard and
// reports whether there is one. A key counts only where it went down: one that
// was held when the window came does nothing there until it is pressed anew.
func (c *Compositor) Key(down, repeat bool, keysym uint32) (taken bool) {
	c.mu.Lock()
	l := c.focus
	if l == nil {
		c.mu.Unlock()
		return false
	}
	_, mine := l.keys[keysym]
	var a Action
	switch {
	case down && (mine || !repeat):
		l.keys[keysym] = struct{}{}
		a = l.w.Key(true, keysym)
	case !down && mine:
		delete(l.keys, keysym)
		a = l.w.Key(false, keysym)
	}
	c.finish(l, a)
	return true
}

// finish shows what an action changed, unlocks mu and hands out the answer.
func (c *Compositor) finish(l *Layer, a Action) {
	if a.Redraw {
		l.redrawLocked()
	}
	c.mu.Unlock()
	if a.Answer != 0 && l.answer != nil {
		l.answer(a.Answer)
	}
}

// Pointer gives a mouse event of a person to the window it concerns and reports
// whether there is one: the window where a button is held, else the one under
// the pointer. baseHeld tells that the base holds a button, and so the pointer.
func (c *Compositor) Pointer(e PointerEvent, baseHeld bool) (taken bool) {
	c.mu.Lock()
	l := c.layerAtLocked(e.At)
	if c.held != nil {
		l = c.held
	} else if baseHeld {
		l = nil
	}
	if hot := c.hot; hot != nil && hot != l {
		c.hot = nil
		if hot.w.Pointer(PointerEvent{Leave: true}).Redraw {
			hot.redrawLocked()
		}
	}
	c.cursorLocked(l != nil)
	if l == nil {
		if e.Down != 0 {
			c.setFocusLocked(nil)
		}
		c.mu.Unlock()
		return false
	}
	c.hot = l
	if e.Down != 0 && c.held == nil && e.Down&(ButtonWheelUp|ButtonWheelDown) == 0 {
		c.held = l
		if !l.still {
			c.raiseLocked(l)
			c.setFocusLocked(l)
		}
	}
	in := e
	in.At = e.At.Sub(l.at)
	if e.Down&ButtonLeft != 0 && in.At.In(l.w.Caption()) {
		c.drag, c.grip = l, in.At
	}
	if c.drag == l && e.Down == 0 {
		if at := l.keepLocked(e.At.Sub(c.grip), c.screenLocked()); at != l.at {
			old := l.boundsLocked()
			l.at, l.moved = at, true
			if now := l.boundsLocked(); now.Overlaps(old) {
				c.paintLocked(old.Union(now))
			} else {
				c.paintLocked(old)
				c.paintLocked(now)
			}
		}
		in.At = e.At.Sub(l.at)
	}
	if e.Buttons&^(ButtonWheelUp|ButtonWheelDown) == 0 {
		c.held, c.drag = nil, nil
	}
	c.finish(l, l.w.Pointer(in))
	return true
}

// cursorLocked shows our own cursor over our windows: a program must not hide it
// there, or draw it beside the place that is clicked.
func (c *Compositor) cursorLocked(ours bool) {
	if c.base == nil || c.out == nil || c.ours == ours {
		return
	}
	c.ours = ours
	c.out.Update(func(p *Paint) {
		if ours {
			p.SetCursor(nil)
		} else {
			p.SetCursor(c.cursor)
		}
	})
}

// raiseLocked puts a window on top.
func (c *Compositor) raiseLocked(l *Layer) {
	n := len(c.layers)
	if c.layers[n-1] == l {
		return
	}
	list := make([]*Layer, 0, n)
	for _, o := range c.layers {
		if o != l {
			list = append(list, o)
		}
	}
	c.layers = append(list, l)
	c.paintLocked(l.boundsLocked())
}
