// SPDX-License-Identifier: Apache-2.0

package logon

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Parameters of argon2id for new passwords: 19 MiB and two passes, one lane.
// Stored hashes carry their own, so these may grow without breaking any.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16 // bytes
	argonKey    = 32 // bytes
)

// MaxPassword is the longest password that is accepted, in bytes.
const MaxPassword = 1024

// hashPassword gives the PHC string of a password with a fresh salt.
func hashPassword(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// verifyPassword reports whether password matches the PHC string, in time that
// does not depend on where they differ.
func verifyPassword(phc, password string) (bool, error) {
	var version, memory, passes, lanes uint32
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("not an argon2id hash")
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false, fmt.Errorf("argon2 version %q is not known", parts[2])
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false, fmt.Errorf("bad argon2 parameters %q", parts[3])
	}
	// The hash comes from our own file, but a damaged one must not take the
	// machine's memory or make the library panic.
	if memory < 8 || memory > 1<<20 || passes < 1 || passes > 64 || lanes < 1 || lanes > 64 {
		return false, fmt.Errorf("argon2 parameters %q are out of range", parts[3])
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("bad salt: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 16 || len(want) > 128 {
		return false, errors.New("bad hash")
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, uint8(lanes), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// nobodyHash is what a name without a password is checked against, so that an
// unknown name takes as long as a wrong password.
const nobodyHash = "$argon2id$v=19$m=19456,t=2,p=1$c3RhdGlvbm1hc3Rlci4uLg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
