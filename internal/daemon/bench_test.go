// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"io"
	"path/filepath"
	"sync"
	"testing"

	"stationmaster/client"
	"stationmaster/internal/wire"
)

// BenchmarkPing measures a call's round trip over the socket beside the same
// bytes sent back and forth without any of ours around them.
func BenchmarkPing(b *testing.B) {
	b.Run("call", func(b *testing.B) {
		p := newPlane(b, Limits{}, nil)
		c, q := p.dial(), client.PingRequest{Payload: make([]byte, 32)}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Ping(context.Background(), q); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("call with 8 callers", func(b *testing.B) {
		p := newPlane(b, Limits{}, nil)
		c, q := p.dial(), client.PingRequest{Payload: make([]byte, 32)}
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Ping(context.Background(), q); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
	b.Run("bytes", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "s")
		l, err := wire.Listen(path, 0o600)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		var work sync.WaitGroup
		work.Go(func() {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			defer c.Close()
			buf := make([]byte, 48)
			for {
				if _, err := io.ReadFull(c, buf); err != nil {
					return
				}
				c.Write(buf)
			}
		})
		c, err := wire.Dial(context.Background(), path)
		if err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, 48)
		for b.Loop() {
			c.Write(buf)
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
		}
		c.Close()
		work.Wait()
	})
}
