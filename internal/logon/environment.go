// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Environment gives the environment that programs of a session's user begin
// with, without what the engine adds for the desktop; false when nobody is
// logged on there.
func (w *Winlogon) Environment(session uint32) ([]string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.seats[session]
	if st == nil || st.token == nil {
		return nil, false
	}
	return append([]string(nil), st.env...), true
}

// Home gives the home directory of a session's user, false when nobody is
// logged on there.
func (w *Winlogon) Home(session uint32) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.seats[session]
	if st == nil || st.token == nil {
		return "", false
	}
	return st.home, true
}

// EnvironmentFor gives the environment of an account's programs, wherever they
// run, and makes its home directory if it has none.
func (w *Winlogon) EnvironmentFor(a Account) (env []string, home string, err error) {
	home, err = w.makeHome(a)
	if err != nil {
		return nil, "", err
	}
	return w.environment(a, home), home, nil
}

func (w *Winlogon) environment(a Account, home string) []string {
	lang := w.o.Lang
	if lang == "" {
		lang = cmp.Or(os.Getenv("LANG"), "C.UTF-8")
	}
	return []string{
		"HOME=" + home,
		"USER=" + a.Name,
		"LOGNAME=" + a.Name,
		"SHELL=" + cmp.Or(a.Shell, "/bin/sh"),
		"PATH=" + w.o.Path,
		"LANG=" + lang,
		"XDG_RUNTIME_DIR=/run/user/" + strconv.FormatUint(uint64(a.UID), 10),
	}
}

// homePath gives where an account's home directory is. Account names are
// valid file names (validName).
func (w *Winlogon) homePath(a Account) string {
	if a.Home != "" {
		return a.Home
	}
	if w.o.Homes == "" {
		return "/"
	}
	return filepath.Join(w.o.Homes, strings.ToLower(a.Name))
}

// makeHome makes the home directory of an account that is no Linux user,
// readable by nobody else. Somebody else's directory in its place is an error.
func (w *Winlogon) makeHome(a Account) (string, error) {
	home := w.homePath(a)
	if a.Home != "" || w.o.Homes == "" {
		return home, nil
	}
	if err := os.MkdirAll(w.o.Homes, 0o711); err != nil {
		return "", fmt.Errorf("cannot make the directory of homes: %w", err)
	}
	err := os.Mkdir(home, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("cannot make the home of %s: %w", a.Name, err)
	}
	// Homes belongs to the daemon alone, so what stands there can't be swapped
	// for a link by the user between these calls.
	info, err := os.Lstat(home)
	if err != nil {
		return "", fmt.Errorf("cannot use the home of %s: %w", a.Name, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("cannot use the home of %s: %s is no directory", a.Name, home)
	}
	if w.store.o.Root {
		if err := os.Lchown(home, int(a.UID), int(a.GID)); err != nil {
			if made {
				_ = os.Remove(home)
			}
			return "", fmt.Errorf("cannot give %s its home: %w", a.Name, err)
		}
	}
	return home, nil
}
