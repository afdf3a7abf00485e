// SPDX-License-Identifier: Apache-2.0

//go:build smallholder

package small

import _ "embed"

//go:embed holder
var image []byte

// Holder gives the holder's program, nil when this binary was built without it
// and is its own holder.
func Holder() []byte { return image }
