// SPDX-License-Identifier: Apache-2.0

package station

import (
	"cmp"
	"context"
	"fmt"
	"sync"
)

// MemorySurfaces makes surfaces that nothing draws on. It is for tests, and
// for embedders that want the object model alone.
type MemorySurfaces struct {
	mu   sync.Mutex
	next int                     // guarded by mu: number of the last surface
	open map[*MemorySurface]bool // guarded by mu
	fail error                   // guarded by mu
}

// NewMemorySurfaces makes a maker of surfaces of 1280×800 pixels.
func NewMemorySurfaces() *MemorySurfaces {
	return &MemorySurfaces{open: make(map[*MemorySurface]bool)}
}

// Fail lets NewSurface fail with err from now on; nil ends that.
func (m *MemorySurfaces) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Open gives the surfaces that have not been closed.
func (m *MemorySurfaces) Open() []*MemorySurface {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*MemorySurface
	for s := range m.open {
		out = append(out, s)
	}
	return out
}

// NewSurface implements Surfaces.
func (m *MemorySurfaces) NewSurface(ctx context.Context, spec SurfaceSpec) (Surface, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	m.next++
	s := &MemorySurface{maker: m, number: m.next, spec: spec}
	if spec.State != "" {
		if _, err := fmt.Sscanf(spec.State, "memory:%d", &s.number); err != nil {
			return nil, fmt.Errorf("cannot take %q up again: %w", spec.State, err)
		}
	}
	m.open[s] = true
	return s, nil
}

// MemorySurface is a surface that nothing draws on.
type MemorySurface struct {
	maker  *MemorySurfaces
	number int
	spec   SurfaceSpec

	prepared bool // guarded by maker.mu
}

// Spec gives what the surface was made for.
func (s *MemorySurface) Spec() SurfaceSpec { return s.spec }

// Prepared reports whether a program was started on the surface.
func (s *MemorySurface) Prepared() bool {
	s.maker.mu.Lock()
	defer s.maker.mu.Unlock()
	return s.prepared
}

// Kind implements Surface.
func (s *MemorySurface) Kind() string { return cmp.Or(s.spec.Kind, SurfaceX11) }

// Size implements Surface.
func (s *MemorySurface) Size() (width, height int) {
	return cmp.Or(s.spec.Width, 1280), cmp.Or(s.spec.Height, 800)
}

// Prepare implements Surface.
func (s *MemorySurface) Prepare(ctx context.Context) (env []string, err error) {
	s.maker.mu.Lock()
	defer s.maker.mu.Unlock()
	s.prepared = true
	if s.Kind() == SurfaceBuiltin {
		return nil, nil
	}
	return []string{fmt.Sprintf("DISPLAY=:%d", s.number), fmt.Sprintf("XAUTHORITY=/run/cookie-%d", s.number)}, nil
}

// State implements Surface.
func (s *MemorySurface) State() string { return fmt.Sprintf("memory:%d", s.number) }

// Close implements Surface.
func (s *MemorySurface) Close() {
	s.maker.mu.Lock()
	defer s.maker.mu.Unlock()
	delete(s.maker.open, s)
}
