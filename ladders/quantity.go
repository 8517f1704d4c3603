package ladders

import (
	"errors"
	"math/big"
	"regexp"
	"strconv"
)

var errQuantity = errors.New("not a quantity")

var quantity = regexp.MustCompile(`^([0-9]{1,12}(?:\.[0-9]{1,6})?)([kM]?)$`)

// parseBits reads 128000, 6000k or 6.5M as bits (per second).
func parseBits(s string) (int64, error) {
	m := quantity.FindStringSubmatch(s)
	if m == nil {
		return 0, errQuantity
	}
	v, ok := new(big.Rat).SetString(m[1])
	if !ok {
		return 0, errQuantity
	}
	v.Mul(v, new(big.Rat).SetInt64(unit[m[2]]))
	if !v.IsInt() || !v.Num().IsInt64() {
		return 0, errQuantity
	}
	return v.Num().Int64(), nil
}

var unit = map[string]int64{"": 1, "k": 1000, "M": 1_000_000}

// formatBits writes bits the way people author them.
func formatBits(v int64) string {
	switch {
	case v >= 10_000_000 && v%1_000_000 == 0:
		return strconv.FormatInt(v/1_000_000, 10) + "M"
	case v%1000 == 0 && v > 0:
		return strconv.FormatInt(v/1000, 10) + "k"
	}
	return strconv.FormatInt(v, 10)
}

var sizePattern = regexp.MustCompile(`^([0-9]{1,5})x([0-9]{1,5})$`)

// parseSize reads 1280x720.
func parseSize(s string) (w, h int, err error) {
	m := sizePattern.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, errQuantity
	}
	w, _ = strconv.Atoi(m[1])
	h, _ = strconv.Atoi(m[2])
	return w, h, nil
}
