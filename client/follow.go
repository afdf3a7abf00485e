// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"iter"
)

// followWait is how long one request for news waits in the daemon, in
// milliseconds; nothing is lost between two requests.
const followWait = 30_000

// Follow gives the events after the one with sequence number after (0: all the
// daemon still has), and goes on as new ones happen, until ctx ends or the
// loop is left. An error comes as the last pair; the end of ctx is none. A gap
// in the sequence numbers means that the daemon no longer had the events
// between.
//
// Rules: NTF-7, NTF-8.
func (c *Conn) Follow(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return follow(ctx, after, func(after uint64) ([]Event, uint64, error) {
		r, err := c.ReadEvents(ctx, ReadLogRequest{After: after, Millis: followWait})
		return r.Events, r.Next, err
	})
}

// FollowAudit gives refusals as Follow gives events; administrators only.
//
// Rules: SE-64.
func (c *Conn) FollowAudit(ctx context.Context, after uint64) iter.Seq2[AuditRecord, error] {
	return follow(ctx, after, func(after uint64) ([]AuditRecord, uint64, error) {
		r, err := c.ReadAudit(ctx, ReadLogRequest{After: after, Millis: followWait})
		return r.Records, r.Next, err
	})
}

func follow[T any](ctx context.Context, after uint64, read func(uint64) ([]T, uint64, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			items, next, err := read(after)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, it := range items {
				if !yield(it, nil) {
					return
				}
			}
			after = max(after, next)
		}
	}
}
