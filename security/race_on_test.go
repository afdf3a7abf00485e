// SPDX-License-Identifier: Apache-2.0

//go:build race

package security_test

const raceEnabled = true
