// SPDX-License-Identifier: Apache-2.0

package scm

import (
	"testing"

	"stationmaster/conform"
	"stationmaster/internal/api"
)

// TestGaps names the rules of this package's area that are not kept yet.
func TestGaps(t *testing.T) {
	t.Run("SCM-11/virtual account", func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		conform.Todo(t, "SCM-11", "NT SERVICE\\name accounts need a Linux user of their own each", func() error {
			_, err := w.tryCreate(api.CreateServiceRequest{Name: "v", Account: `NT SERVICE\v`})
			return err
		})
	})
	t.Run("SCM-31/group dependency", func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.close()
		w.install("/bin/g", nil)
		conform.Todo(t, "SCM-31", "there are no load-order groups", func() error {
			return w.start(w.create(api.CreateServiceRequest{Name: "g", Plain: true, Depends: []string{"+group"}}))
		})
	})
	for _, gap := range []struct{ id, why string }{
		{"SCM-1", "the settings strict_names and compat.dup_display do not exist; names are checked as the Win32 page says"},
		{"SCM-3", "there is no delayed auto-start"},
		{"SCM-16", "no backup password is kept: a service account's credential becomes stale with its password"},
		{"SCM-28", "the dispatcher of a program with several services gets one of them"},
		{"SCM-29", "SHARE_PROCESS services run in a process of their own each"},
		{"SCM-33", "preshutdown and ServicesPipeTimeout as a setting; the other time-outs are kept"},
		{"SCM-34", "there are no failure actions"},
		{"SCM-35", "failures are told as events, nothing is done about them"},
		{"SCM-36", "required privileges and service SIDs can't be configured"},
		{"SCM-37", "there is no NotifyServiceStatusChange; service-state events tell the same"},
		{"SCM-38", "PRESHUTDOWN is not sent"},
		{"SCM-40", "there are no driver and spooler hosts"},
		{"NTF-10", "there is no UI0 detection"},
	} {
		t.Run(gap.id, func(t *testing.T) { conform.Todo(t, gap.id, gap.why, nil) })
	}
}
