// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"context"
	"os"
	"testing"

	"stationmaster/internal/host"
	"stationmaster/station"
)

func benchHost(b *testing.B) *host.Host {
	opts := host.Options{Dir: b.TempDir(), SingleUID: true}
	h, err := host.Open(opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.Close() })
	b.Logf("level %s", h.Isolation().Level)
	return h
}

func benchTrue(b *testing.B, s station.HostSession) {
	p, err := s.Spawn(context.Background(), station.ProcessSpec{Path: "/bin/true", UID: uint32(os.Getuid())})
	if err != nil {
		b.Fatal(err)
	}
	<-p.Done()
	p.Forget()
}

// BenchmarkSession is a new session at the highest level, /bin/true to its
// end, and, not timed, the end of the session.
func BenchmarkSession(b *testing.B) {
	h := benchHost(b)
	for b.Loop() {
		s, err := h.StartSession(context.Background(), station.SessionSpec{ID: 1})
		if err != nil {
			b.Fatal(err)
		}
		benchTrue(b, s)
		b.StopTimer()
		if err := s.End(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkSpawn is /bin/true from start to end in a session that runs.
func BenchmarkSpawn(b *testing.B) {
	h := benchHost(b)
	s, err := h.StartSession(context.Background(), station.SessionSpec{ID: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.End(context.Background())
	for b.Loop() {
		benchTrue(b, s)
	}
}
