// SPDX-License-Identifier: Apache-2.0

package station

import "context"

// Kinds of surface a desktop can draw on.
const (
	SurfaceBuiltin = "builtin" // framebuffer drawn by us
	SurfaceX11     = "x11"     // an X server of the desktop's own
)

// Surfaces makes what desktops draw on. The engine calls it with no lock held.
// internal/display implements it for real screens; NewMemorySurfaces for tests
// and embedders.
type Surfaces interface {
	// NewSurface makes the surface of a desktop that is being created. It must
	// be cheap: an X server is started by the first Prepare or viewer.
	NewSurface(ctx context.Context, spec SurfaceSpec) (Surface, error)
}

// SurfaceSpec says for which desktop a surface is, and of what kind.
type SurfaceSpec struct {
	SessionID uint32
	Session   HostSession // where an X server would run; nil when the engine has no host
	Station   string
	Desktop   string
	Kind      string // SurfaceBuiltin, SurfaceX11, or "" for the default of the surface maker
	Width     int    // pixels; 0 for the default
	Height    int
	UID       uint32 // owner of an X server and its cookie
	GID       uint32
	Groups    []uint32
	// Secure marks Winlogon and Screen-saver: drawn by us, never X, never
	// readable through the API.
	Secure bool
	// State is what an earlier Surface.State gave, when the desktop is being
	// re-adopted after a restart of the daemon.
	State string
}

// Surface is what one desktop draws on.
type Surface interface {
	Kind() string
	Size() (width, height int)
	// Prepare makes the surface ready for programs (starts the X server if
	// there is none yet, waits until it answers) and returns what they need in
	// their environment, such as DISPLAY and XAUTHORITY.
	Prepare(ctx context.Context) (env []string, err error)
	// State is an opaque text from which the surface can be re-adopted.
	State() string
	// Close frees everything the surface holds, its X server included.
	Close()
}
