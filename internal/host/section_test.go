// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"stationmaster/conform"
	"stationmaster/internal/host"
)

func TestSectionMemory(t *testing.T) {
	conform.Rule(t, "SYN-11", "SYN-12")
	m, err := host.SectionMemory("x", 4096)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	write, err := m.File(true)
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	read, err := m.File(false)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	rw, err := unix.Mmap(int(write.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(rw)
	ro, err := unix.Mmap(int(read.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(ro)
	if !bytes.Equal(ro, make([]byte, 4096)) {
		t.Error("new memory is not zero")
	}
	copy(rw, "hello")
	if !bytes.HasPrefix(ro, []byte("hello")) {
		t.Error("the views differ")
	}
	if _, err := unix.Mmap(int(read.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); !errors.Is(err, unix.EACCES) {
		t.Errorf("a read-only descriptor maps for writing: %v", err)
	}
	if err := unix.Mprotect(ro, unix.PROT_READ|unix.PROT_WRITE); !errors.Is(err, unix.EACCES) {
		t.Errorf("a read-only view becomes writable: %v", err)
	}
	for _, size := range []int64{0, 4095, 8192} {
		if err := unix.Ftruncate(int(write.Fd()), size); !errors.Is(err, unix.EPERM) {
			t.Errorf("the size changes to %d: %v", size, err)
		}
	}
	if _, err := unix.FcntlInt(write.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE); !errors.Is(err, unix.EPERM) {
		t.Errorf("who may write can seal the memory: %v", err)
	}
	// Through /proc nobody but the daemon's uid gets more than he was given.
	if os.Getuid() == 0 {
		cmd := exec.Command("sh", "-c", "exec 4<>/proc/self/fd/3")
		cmd.ExtraFiles = []*os.File{read}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 20002, Gid: 20002}}
		if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("ermission denied")) {
			t.Errorf("a read-only descriptor is opened again for writing: %v %s", err, out)
		}
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := m.File(false); !errors.Is(err, os.ErrClosed) {
		t.Errorf("File after Close: %v", err)
	}
	if ro[0] != 'h' {
		t.Error("a view does not outlive the section")
	}
	if _, err := host.SectionMemory("x", 1<<63); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a size beyond all bounds gives %v", err)
	}
}
