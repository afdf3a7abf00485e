// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"stationmaster/client"
)

// pingpong is the physical limit: 64 bytes there and back between two
// processes over a Unix stream socket, with blocking calls. It prints the
// median of its rounds in nanoseconds a round trip.
const pingpong = `
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#define ROUNDS 9
#define TRIPS 5000
static int cmp(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return (x > y) - (x < y); }
int main(void) {
	int s[2]; char b[64]; double r[ROUNDS];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) return 1;
	if (fork() == 0) { close(s[0]); while (read(s[1], b, 64) == 64) if (write(s[1], b, 64) != 64) _exit(1); _exit(0); }
	close(s[1]);
	for (int i = 0; i < ROUNDS; i++) {
		struct timespec t0, t1;
		clock_gettime(CLOCK_MONOTONIC, &t0);
		for (int j = 0; j < TRIPS; j++) if (write(s[0], b, 64) != 64 || read(s[0], b, 64) != 64) return 1;
		clock_gettime(CLOCK_MONOTONIC, &t1);
		r[i] = ((t1.tv_sec - t0.tv_sec) * 1e9 + (t1.tv_nsec - t0.tv_nsec)) / TRIPS;
	}
	qsort(r, ROUNDS, sizeof r[0], cmp);
	printf("%.0f\n", r[ROUNDS / 2]);
	return 0;
}
`

// calls measures the round trip of a call beside a ping-pong in C.
func (b *bench) calls() error {
	const trips = 2000
	ours, err := measure(b.n(30), func() (time.Duration, error) {
		start := time.Now()
		for range trips {
			if _, err := b.conn.Ping(b.ctx, client.PingRequest{Payload: make([]byte, 40)}); err != nil {
				return 0, err
			}
		}
		return time.Since(start) / trips, nil
	})
	if err != nil {
		return err
	}
	limit, err := b.compiled("pingpong", pingpong)
	if err != nil {
		b.note("no C limit: %v", err)
		b.add("call round trip over the socket (Ping)", text(ours, time.Microsecond, "µs"), "", "", "")
		return nil
	}
	b.add("call round trip over the socket (Ping, 64-byte frame)", text(ours, time.Microsecond, "µs"), fmt.Sprintf("C ping-pong on a Unix socket **%.3g** µs", float64(limit)/1e3), ratio(median(ours), limit), verdict(float64(median(ours)) <= 2.7*float64(limit), "≤ 2.7 × C"))
	return nil
}

// compiled builds and runs a C program that prints nanoseconds.
func (b *bench) compiled(name, source string) (time.Duration, error) {
	dir, err := os.MkdirTemp("", "station-bench-c-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	file, bin := filepath.Join(dir, name+".c"), filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		return 0, err
	}
	if out, err := exec.Command("gcc", "-O2", "-o", bin, file).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cannot compile %s: %w: %s", name, err, out)
	}
	out, err := exec.Command(bin).Output()
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Duration(ns), err
}
