// SPDX-License-Identifier: Apache-2.0

// Package encode turns pixels into bytes: the rectangle encodings of RFB (Raw,
// ZRLE, Tight with JPEG), a small JPEG writer and an exact PNG writer. All are
// pure functions of pixels, rectangle and settings.
//
// Nothing carries history from one rectangle to the next: each compressed
// payload is a run of deflate blocks that refers to nothing before it. The bytes
// of an update are therefore the same for every viewer with the same settings
// and can be made once. It costs 6 to 12 percent in bytes.
//
// Pixels come as *image.RGBA with alpha 255 everywhere (surface.Frame).
//
// It imports the standard library and klauspost/compress only.
package encode
