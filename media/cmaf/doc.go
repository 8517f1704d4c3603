// Package cmaf turns encoded frames into CMAF (ISO/IEC 23000-19) and reads it
// back: init segments from what an encoder knows of itself, media segments of
// one fragment per GOP, and the inverse for verifiers and resumed writers.
//
// Invariants: the same input gives the same bytes on every host (nothing here
// reads a clock or a counter); parameter sets live in the init segment only;
// decode times are signed-offset (trun version 1), so no edit list is needed;
// an I-frame can be fetched as one byte range, because every GOP is a fragment
// of its own.
//
// It must not know playlists, sinks, encoders or when anything happens.
package cmaf

import "errors"

// ErrConfig: the decoder configuration that an encoder gave cannot be used.
var ErrConfig = errors.New("decoder configuration is not usable; the encoder must be opened with global headers")

// ErrFrame: an encoded frame is not in the form that CMAF wants.
var ErrFrame = errors.New("encoded frame is malformed: want NAL units with 4-byte lengths, or AV1 OBUs")

// ErrMedia: bytes that should be an init or media segment are not.
var ErrMedia = errors.New("not a CMAF segment")
